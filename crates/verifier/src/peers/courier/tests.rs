//! Peers that are slow, lie, redirect, drip, send garbage or die half-way: each costs only itself.

use super::*;
use cairn_types::{SecretKey, Token};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

const SHORT: Patience = Patience {
    connect: Duration::from_millis(500),
    idle: Duration::from_millis(200),
    turn: Duration::from_millis(300),
    bytes_min: 10_000,
    rest: Duration::ZERO,
};

/// What a peer does with a connection after it read this request.
type Manner = fn(request: String, file: &[u8], asked: usize) -> (Vec<u8>, End);

/// How it ends.
enum End {
    Close,
    /// Stays and says nothing more.
    Hang,
    /// Goes on byte by byte.
    Drip,
}

struct Playing {
    peer: VerifierAt,
    asked: Arc<AtomicUsize>,
}

async fn play(number: u8, file: Vec<u8>, manner: Manner) -> Playing {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let at = counting.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream, file.clone(), manner, at));
        }
    });
    let peer = VerifierAt {
        account: AccountId([number; 32]),
        key: SecretKey::ed25519([number; 32]).public(),
        bond: Token(1),
        url,
    };
    Playing { peer, asked }
}

async fn answer(mut stream: TcpStream, file: Vec<u8>, manner: Manner, at: usize) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let (said, end) = manner(String::from_utf8_lossy(&head).into_owned(), &file, at);
    // The other side may have hung up.
    if stream.write_all(&said).await.is_err() {
        return;
    }
    match end {
        End::Close => {}
        End::Hang => drop(stream.read_to_end(&mut Vec::new()).await),
        End::Drip => {
            let mut slowly = tokio::time::interval(Duration::from_millis(20));
            while stream.write_all(b"a").await.is_ok() {
                slowly.tick().await;
            }
        }
    }
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// Where a request wants to begin.
fn range(request: &str) -> Option<usize> {
    let line = request.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    line.trim_end_matches('-').parse().ok()
}

fn honest(request: String, file: &[u8], _: usize) -> (Vec<u8>, End) {
    let said = match range(&request) {
        Some(start) if start < file.len() => http("206 Partial Content", "", &file[start..]),
        Some(_) => http("416 Range Not Satisfiable", "", b""),
        None => http("200 OK", "", file),
    };
    (said, End::Close)
}

/// Says how long the file is and gives half of it.
fn half(file: &[u8]) -> Vec<u8> {
    let mut said = http("200 OK", "", file);
    said.truncate(said.len() - file.len() / 2);
    said
}

fn file() -> Vec<u8> {
    (0..200_000u32).map(|at| (at % 251) as u8).collect()
}

fn wanted(file: &[u8]) -> Wanted {
    let hash = hash::sha256(file);
    Wanted {
        network: NetworkId([7; 32]),
        epoch: EpochNumber(9),
        what: What::Hashed {
            name: format!("sealed-{hash}.parquet"),
            hash,
        },
        bytes_max: 300_000,
    }
}

fn courier(folder: &Path) -> Courier {
    Courier::open(folder, SHORT, Handle::current()).unwrap()
}

/// Asks once and takes what came of it.
fn sought(courier: &Courier, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>> {
    assert_eq!(courier.get(wanted, from), None, "asking never waits");
    tokio::task::block_in_place(|| courier.wait(0));
    let key = (wanted.clone(), None);
    let is_here = matches!(courier.0.state().jobs.get(&key), Some(Job::Here(_)));
    if is_here { courier.get(wanted, from) } else { None }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_bad_peers_do_the_honest_one_behind_them_gives_the_file() {
    let manners: [(&str, Manner); 8] = [
        ("hangs up", |_, _, _| (Vec::new(), End::Close)),
        ("is silent", |_, _, _| (Vec::new(), End::Hang)),
        ("drips", |_, file, _| {
            (http("200 OK", "", file)[..100].to_vec(), End::Drip)
        }),
        ("redirects", |_, _, _| {
            (http("302 Found", "location: http://127.0.0.1:1/\r\n", b""), End::Close)
        }),
        ("says garbage", |_, _, _| (vec![0xff; 5_000], End::Close)),
        ("lies", |_, file, _| {
            (http("200 OK", "", &vec![1; file.len()]), End::Close)
        }),
        ("never ends", |_, _, _| {
            (http("200 OK", "", &vec![2; 400_000]), End::Close)
        }),
        ("has it not", |_, _, _| (http("404 Not Found", "", b""), End::Close)),
    ];
    let (file, mut bad) = (file(), Vec::new());
    for (at, (_, manner)) in manners.iter().enumerate() {
        bad.push(play(at as u8, file.clone(), *manner).await);
    }
    let good = play(99, file.clone(), honest).await;
    for ((name, _), playing) in manners.iter().zip(&bad) {
        let folder = tempfile::tempdir().unwrap();
        let from = [playing.peer.clone(), good.peer.clone()];
        let got = sought(&courier(folder.path()), &wanted(&file), &from);
        assert!(got.as_ref() == Some(&file), "behind one that {name}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_begun_before_a_kill_is_taken_up_where_it_stopped_even_from_another_peer() {
    let file = file();
    let dies = play(1, file.clone(), |_, file, _| (half(file), End::Close)).await;
    let goes_on = play(2, file.clone(), |request, file, at| {
        assert_eq!(
            range(&request),
            Some(file.len() / 2),
            "only what is missing is asked for"
        );
        honest(request, file, at)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(sought(&courier(folder.path()), &wanted(&file), &[dies.peer]), None);
    let begun = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(begun.metadata().unwrap().len(), file.len() as u64 / 2);
    let got = sought(&courier(folder.path()), &wanted(&file), &[goes_on.peer]);
    assert!(got == Some(file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begun_part_that_was_a_lie_does_not_spoil_what_an_honest_peer_gives() {
    let file = file();
    let lies = play(1, file.clone(), |_, file, _| (half(&vec![9; file.len()]), End::Close)).await;
    let good = play(2, file.clone(), honest).await;
    let folder = tempfile::tempdir().unwrap();
    let got = sought(&courier(folder.path()), &wanted(&file), &[lies.peer, good.peer]);
    assert!(got == Some(file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_failed_rests_and_others_do_not() {
    let file = file();
    let bad = play(1, file.clone(), |_, _, _| (Vec::new(), End::Close)).await;
    let good = play(2, file.clone(), honest).await;
    let folder = tempfile::tempdir().unwrap();
    let patience = Patience {
        rest: Duration::from_secs(3_600),
        ..SHORT
    };
    let courier = Courier::open(folder.path(), patience, Handle::current()).unwrap();
    for _ in 0..3 {
        let from = [bad.peer.clone(), good.peer.clone()];
        assert!(sought(&courier, &wanted(&file), &from).as_ref() == Some(&file));
    }
    assert_eq!(
        (bad.asked.load(Ordering::SeqCst), good.asked.load(Ordering::SeqCst)),
        (1, 3)
    );
    assert_eq!(courier.get(&wanted(&file), &[bad.peer]), None);
    assert_eq!(courier.0.state().under_way, 0, "nobody is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_each_verifiers_own_and_bounded() {
    let playing = |number, said: &'static [u8]| async move {
        let manner: Manner = |_, file, _| (http("200 OK", "", file), End::Close);
        play(number, said.to_vec(), manner).await.peer
    };
    let (one, other, long) = (
        playing(1, b"one").await,
        playing(2, b"other").await,
        playing(3, &[7; 40]).await,
    );
    let wanted = Wanted {
        what: What::Words,
        bytes_max: 20,
        ..wanted(b"")
    };
    let folder = tempfile::tempdir().unwrap();
    let courier = courier(folder.path());
    for peer in [&one, &other, &long] {
        assert_eq!(courier.get(&wanted, std::slice::from_ref(peer)), None);
    }
    tokio::task::block_in_place(|| courier.wait(0));
    let said = |peer: &VerifierAt| courier.get(&wanted, std::slice::from_ref(peer));
    assert_eq!(
        (said(&one), said(&other)),
        (Some(b"one".to_vec()), Some(b"other".to_vec()))
    );
    assert_eq!(said(&long), None);
}
