//! The technician's login, by Debian's own sshd and ssh, with the drop-in that the package ships: its verbs answer, and nothing else
//! of the machine can be had by it. The rest of sshd is configured to allow everything, as an administrator might have.

/// An account is made and an sshd started, which root alone can; `tests/run` of another user leaves them out, and says so.
mod under_sshd {
    mod borrowed;
    mod client;
    mod escapes;
    mod site;
    mod verbs;
}
