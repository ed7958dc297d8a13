//! Guests that dawdle, that are too many, and that may not come.

use std::io::{Read, Write};
use std::net::TcpStream as Plain;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::Known;
use crate::http::{App, router};

/// A page that listens, on a thread of its own.
fn page(patience: Duration, config: Config) -> SocketAddr {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let config = Arc::new(config);
            let app = App::new(Arc::clone(&config), Arc::new(Mutex::new(Known::default())));
            let doorkeeper = Doorkeeper::new(listener, config).patient(patience);
            axum::serve(doorkeeper, router(Arc::new(app))).await.unwrap();
        });
    });
    address.recv().unwrap()
}

fn guest(page: SocketAddr) -> Plain {
    let stream = Plain::connect(page).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn answered(page: SocketAddr) -> bool {
    let mut stream = guest(page);
    let sent = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    sent.is_ok()
        && stream.read_to_string(&mut text).is_ok()
        && text.starts_with("HTTP/1.1 200")
        && text.ends_with("</html>\n")
}

/// Whether the other end hangs up.
fn is_cut(mut stream: Plain) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_))
}

#[test]
fn who_sends_a_byte_at_a_time_is_cut_off_and_keeps_nobody_out() {
    let page = page(Duration::from_secs(2), Config::default());
    let mut slow: Vec<Plain> = (0..CONNECTIONS_PER_ADDRESS_MAX - 1).map(|_| guest(page)).collect();
    slow.iter_mut().for_each(|stream| stream.write_all(b"GET / HT").unwrap());
    assert!(answered(page), "beside them");
    let began = Instant::now();
    assert!(slow.into_iter().all(is_cut));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(answered(page), "after them");
}

#[test]
fn one_address_has_so_many_connections_and_no_more() {
    let page = page(Duration::from_secs(60), Config::default());
    let held: Vec<Plain> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| guest(page)).collect();
    assert!(is_cut(guest(page)));
    drop(held);
    let began = Instant::now();
    while !answered(page) {
        assert!(began.elapsed() < Duration::from_secs(30), "room comes back");
    }
}

#[test]
fn a_head_without_end_is_cut_off() {
    let page = page(Duration::from_secs(60), Config::default());
    let mut stream = guest(page);
    let line = format!("X-{}: y\r\n", "a".repeat(1_000));
    let sent = (0..200).try_for_each(|_| stream.write_all(line.as_bytes()));
    let mut rest = Vec::new();
    // Cut while sending, or told that it is too much.
    assert!(sent.is_err() || stream.read_to_end(&mut rest).is_err() || !rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn only_networks_that_may_ask_are_let_in() {
    let config = Config { networks: vec!["192.0.2.0/24".parse().unwrap()], ..Config::default() };
    let page = page(Duration::from_secs(60), config);
    assert!(answered(page), "who is at its own address watches over it");
    let elsewhere = from_elsewhere(page);
    assert!(is_cut(elsewhere));
}

/// A connection from another address of this machine.
fn from_elsewhere(page: SocketAddr) -> Plain {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
        socket.connect(page).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}
