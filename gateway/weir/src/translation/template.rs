//! A sentence with holes, as a format string has them.

/// `failed to read {path}: is it there?` is a head, and each hole with the text behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    head: String,
    holes: Vec<Hole>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hole {
    /// As the format string names it; one without a name has its number.
    name: String,
    /// The text up to the next hole.
    behind: String,
    /// Whether it stands in quotes wherever else it stands: then it is a name.
    is_quoted: bool,
    /// Whether it is a place in a text, which has digits only.
    is_place: bool,
}

/// What stands in a hole of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filling<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
    pub(super) is_quoted: bool,
}

/// A sentence that a template made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'t> {
    pub(super) holes: Vec<Filling<'t>>,
    /// What follows it, and the sign between.
    pub(super) rest: Option<(&'static Sign, &'t str)>,
}

/// What stands between a sentence and the next, in both languages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) english: &'static str,
    pub(super) chinese: &'static str,
}

/// Before what to do.
pub(super) const TRY: Sign = Sign { english: " · try: ", chinese: " · try: " };

/// Before a cause, before what to do, before another remark, and in what a reader of TOML draws of a line, once it is on one line
/// with the rest; what begins with another of them comes before it.
pub(super) const SIGNS: [Sign; 5] = [
    Sign { english: ": ", chinese: "：" },
    TRY,
    Sign { english: " · ", chinese: " · " },
    Sign { english: " | ", chinese: " | " },
    Sign { english: "^ ", chinese: "^ " },
];

impl Template {
    /// None if a brace is not closed.
    pub(super) fn parse(format: &str) -> Option<Template> {
        let mut template = Template { head: String::new(), holes: Vec::new() };
        let mut unnamed = 0;
        let mut letters = format.chars().peekable();
        while let Some(letter) = letters.next() {
            let is_doubled = letters.peek() == Some(&letter);
            match letter {
                '{' | '}' if is_doubled => {
                    letters.next();
                    template.end().push(letter);
                }
                '{' => {
                    let mut inside = String::new();
                    loop {
                        match letters.next()? {
                            '}' => break,
                            inner => inside.push(inner),
                        }
                    }
                    // What follows the colon says how it is shown, and not what it is.
                    let mut name = inside.split(':').next().unwrap_or_default().to_owned();
                    if name.is_empty() {
                        name = unnamed.to_string();
                        unnamed += 1;
                    }
                    template.holes.push(Hole { name, behind: String::new(), is_quoted: false, is_place: false });
                }
                '}' => return None,
                _ => template.end().push(letter),
            }
        }
        template.mark_quoted();
        template.mark_places();
        Some(template)
    }

    /// The text that is being read.
    fn end(&mut self) -> &mut String {
        match self.holes.last_mut() {
            Some(hole) => &mut hole.behind,
            None => &mut self.head,
        }
    }

    fn mark_quoted(&mut self) {
        let befores = std::iter::once(&self.head).chain(self.holes.iter().map(|hole| &hole.behind));
        let in_quotes = befores.zip(&self.holes).filter(|(before, hole)| {
            ['`', '\'', '"'].iter().any(|quote| before.ends_with(*quote) && hole.behind.starts_with(*quote))
        });
        let names: Vec<String> = in_quotes.map(|(_, hole)| hole.name.clone()).collect();
        for hole in &mut self.holes {
            hole.is_quoted = names.contains(&hole.name);
        }
    }

    /// A line and its column are numbers; one without the other may be anything's name.
    fn mark_places(&mut self) {
        if ["line", "column"].iter().all(|name| self.holes.iter().any(|hole| hole.name == *name)) {
            self.holes.iter_mut().for_each(|hole| hole.is_place = matches!(hole.name.as_str(), "line" | "column"));
        }
    }

    /// Whether it has no hole.
    pub(super) fn is_whole(&self) -> bool {
        self.holes.is_empty()
    }

    /// Whether anything may stand at its beginning.
    pub(super) fn begins_with_hole(&self) -> bool {
        self.head.is_empty()
    }

    /// Whether its sentences have several lines.
    pub(super) fn has_lines(&self) -> bool {
        self.holes.iter().any(|hole| hole.behind.contains('\n'))
    }

    /// Bytes outside the holes.
    pub(super) fn literal_bytes(&self) -> usize {
        self.head.len() + self.holes.iter().map(|hole| hole.behind.len()).sum::<usize>()
    }

    /// Letters outside the holes.
    pub(super) fn letters(&self) -> usize {
        let texts = std::iter::once(&self.head).chain(self.holes.iter().map(|hole| &hole.behind));
        texts.flat_map(|text| text.chars()).filter(|letter| letter.is_alphabetic()).count()
    }

    /// Whether its sentences end with what stands in a hole.
    pub(super) fn ends_with_hole(&self) -> bool {
        self.holes.last().is_some_and(|hole| hole.behind.is_empty())
    }

    /// What stands in the holes if this template made the text, or its beginning up to one of [`SIGNS`]. Each hole takes as
    /// little as it can. Linear in the text for each hole.
    pub(super) fn find<'t>(&'t self, text: &'t str) -> Option<Found<'t>> {
        let mut behind = text.strip_prefix(self.head.as_str())?;
        let mut holes = Vec::with_capacity(self.holes.len());
        let mut is_after_quote = self.head.ends_with('`');
        for (nth, hole) in self.holes.iter().enumerate() {
            let is_last = nth + 1 == self.holes.len();
            let known = holes.iter().find(|other: &&Filling<'_>| other.name == hole.name);
            let at = match known {
                // What stood there before stands here again.
                Some(known) => behind
                    .strip_prefix(known.text)
                    .filter(|rest| rest.starts_with(&hole.behind))
                    .map(|_| known.text.len())?,
                None if hole.is_place => place_end(behind, &hole.behind)?,
                None if is_last => last_end(behind, &hole.behind)?,
                None => behind.find(&hole.behind)?,
            };
            let text = &behind[..at];
            // A quoted name ends at the next quote: what goes on behind it is another sentence's.
            let runs_on = is_after_quote && hole.behind.starts_with('`') && text.contains('`');
            if runs_on {
                return None;
            }
            holes.push(Filling { name: &hole.name, text, is_quoted: hole.is_quoted });
            behind = &behind[at + hole.behind.len()..];
            is_after_quote = hole.behind.ends_with('`');
        }
        match next(behind) {
            Some(rest) => Some(Found { holes, rest: Some(rest) }),
            None => behind.is_empty().then_some(Found { holes, rest: None }),
        }
    }

    /// The sentence, with what each hole has by its name; one that is not known shows its name.
    pub(super) fn filled(&self, filling: impl Fn(&str) -> Option<String>) -> String {
        let mut sentence = self.head.clone();
        for hole in &self.holes {
            sentence += &filling(&hole.name).unwrap_or_else(|| format!("{{{}}}", hole.name));
            sentence += &hole.behind;
        }
        sentence
    }

    /// Whether a hole of this name has digits only.
    #[cfg(test)]
    pub(super) fn is_place(&self, name: &str) -> bool {
        self.holes.iter().any(|hole| hole.name == name && hole.is_place)
    }

    /// The names of the holes.
    #[cfg(test)]
    pub(super) fn names(&self) -> std::collections::BTreeSet<&str> {
        self.holes.iter().map(|hole| hole.name.as_str()).collect()
    }

    /// Whether no text parts two holes: then nobody could say where one ends.
    #[cfg(test)]
    pub(super) fn has_neighbours(&self) -> bool {
        self.holes.iter().rev().skip(1).any(|hole| hole.behind.is_empty())
    }
}

/// The sentence behind a sign with which a text begins.
fn next(text: &str) -> Option<(&'static Sign, &str)> {
    SIGNS.iter().find_map(|sign| Some((sign, text.strip_prefix(sign.english)?)))
}

/// Where a number ends, with this text behind it.
fn place_end(text: &str, behind: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && text[digits..].starts_with(behind)).then_some(digits)
}

/// Where the last text of a template stands so that nothing but another sentence follows it.
fn last_end(text: &str, last: &str) -> Option<usize> {
    if last.is_empty() {
        return Some(text.len());
    }
    let is_end = |at: &usize| {
        let rest = &text[at + last.len()..];
        rest.is_empty() || next(rest).is_some()
    };
    text.match_indices(last).map(|(at, _)| at).find(is_end)
}
