//! Commands and states: kept over a restart, bounded, and in the transaction of the frames they belong to.

use std::collections::BTreeMap;

use record::{SourceId, Stamp};

use super::{Bed, record};
use crate::{
    COMMAND_BYTES_MAX, COMMANDS_PER_DEVICE_MAX, Command, CommandChange, CommandId, Journal, Reader, STATE_BYTES_MAX,
    STATES_MAX, StoreError, Transaction,
};

fn command(id: u64, device: &str) -> Command {
    let created: Stamp = record(7, 0).stamp;
    let device = SourceId::new(device).unwrap();
    Command { id: CommandId(id), device, payload: vec![1, 2], f_port: Some(2), confirmed: true, created }
}

fn change(journal: &mut Journal, commands: Vec<CommandChange>) -> Result<(), StoreError> {
    journal.commit(&Transaction { commands, ..Transaction::default() }).map(drop)
}

#[test]
fn a_command_waits_over_restarts_until_it_is_done() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    assert_eq!(journal.next_command().unwrap(), CommandId(1));
    let mut second = command(2, "b");
    (second.f_port, second.confirmed, second.payload) = (None, false, vec![]);
    let queued = vec![CommandChange::Queue(command(1, "a")), CommandChange::Queue(second.clone())];
    change(&mut journal, queued).unwrap();
    let sent = CommandId(1);
    change(&mut journal, vec![CommandChange::Sent(sent), CommandChange::Sent(sent)]).unwrap();
    drop(journal);
    let mut journal = bed.journal();
    let waiting = journal.commands().unwrap();
    assert_eq!(waiting, Reader::open(&bed.path()).unwrap().commands().unwrap());
    let seen: Vec<_> = waiting.iter().map(|stored| (stored.command.clone(), stored.sent)).collect();
    assert_eq!(seen, [(command(1, "a"), 2), (second, 0)]);
    let done = [1, 2, 2].map(|id| CommandChange::Done(CommandId(id)));
    change(&mut journal, done.into()).unwrap();
    assert_eq!(journal.commands().unwrap(), []);
    drop(journal);
    assert_eq!(bed.journal().next_command().unwrap(), CommandId(3), "an id is never given twice");
}

#[test]
fn a_command_beyond_a_bound_takes_the_whole_transaction_with_it() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let full: Vec<Command> = (1..=COMMANDS_PER_DEVICE_MAX as u64).map(|id| command(id, "a")).collect();
    change(&mut journal, full.into_iter().map(CommandChange::Queue).collect()).unwrap();
    let mut one_more = Transaction { records: vec![record(0, 1)], ..Transaction::default() };
    one_more.commands.push(CommandChange::Queue(command(100, "a")));
    let refused = journal.commit(&one_more);
    assert!(matches!(refused, Err(StoreError::TooManyCommands { max: COMMANDS_PER_DEVICE_MAX, .. })), "{refused:?}");
    assert_eq!((journal.end().0, journal.commands().unwrap().len()), (0, COMMANDS_PER_DEVICE_MAX));
    // In the place of one that is done it fits, whatever the order.
    one_more.commands.push(CommandChange::Done(CommandId(1)));
    journal.commit(&one_more).unwrap();
    assert_eq!((journal.end().0, journal.commands().unwrap().len()), (1, COMMANDS_PER_DEVICE_MAX));

    let mut large = command(200, "b");
    large.payload = vec![0; COMMAND_BYTES_MAX + 1];
    let refused = change(&mut journal, vec![CommandChange::Queue(large.clone())]);
    assert!(matches!(refused, Err(StoreError::TooLarge { max: COMMAND_BYTES_MAX, .. })), "{refused:?}");
    large.payload.pop();
    change(&mut journal, vec![CommandChange::Queue(large)]).unwrap();
}

#[test]
fn states_are_kept_and_bounded() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let mut set = |entries: BTreeMap<String, Vec<u8>>| {
        journal.commit(&Transaction { states: entries, ..Transaction::default() }).map(drop)
    };
    set([("lora.join_nonce".to_owned(), vec![1]), ("other".to_owned(), vec![2])].into()).unwrap();
    set([("lora.join_nonce".to_owned(), vec![3]), ("other".to_owned(), vec![])].into()).unwrap();
    let refused = set([("x".to_owned(), vec![0; STATE_BYTES_MAX + 1])].into());
    assert!(matches!(refused, Err(StoreError::TooLarge { max: STATE_BYTES_MAX, .. })), "{refused:?}");
    let names = |count: usize| (0..count).map(|n| (format!("n{n}"), vec![1])).collect();
    let refused = set(names(STATES_MAX));
    assert!(matches!(refused, Err(StoreError::TooManyStates { max: STATES_MAX })), "{refused:?}");
    let expected: BTreeMap<_, _> = [("lora.join_nonce".to_owned(), vec![3])].into();
    assert_eq!(Reader::open(&bed.path()).unwrap().states().unwrap(), expected);
    set(names(STATES_MAX - 1)).unwrap();
    assert_eq!(journal.states().unwrap().len(), STATES_MAX);
}
