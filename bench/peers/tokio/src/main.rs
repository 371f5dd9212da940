// The benchmarks of bench/ with tokio, under the same names.
//
//     tokio_bench NAME [--workers N] [N]
//
// Each prints a JSON line a result, as leat_bench does.  One worker is tokio's runtime of one thread, which is its faster one.
// tokio's channels have room for one element at least, so a channel without room is one of 1; its receivers are not shared, so there are
// no rows of several consumers.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, Barrier, Mutex, Notify, Semaphore};
use tokio::task::JoinSet;

fn result(name: &str, unit: &str, value: f64) {
    println!("{{\"bench\":\"{}\",\"unit\":\"{}\",\"value\":{:.6}}}", name, unit, value);
}

fn per(name: &str, start: Instant, n: usize) {
    result(name, "ns", start.elapsed().as_nanos() as f64 / n as f64);
}

fn equal(what: &str, got: usize, want: usize) {
    if got != want {
        eprintln!("tokio_bench: {} is {}, not {}", what, got, want);
        std::process::exit(1);
    }
}

fn status_kib(field: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(&format!("{}:", field)));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse().ok()).unwrap_or(0.0)
}

fn memory() -> f64 {
    1024.0 * (status_kib("VmRSS") + status_kib("VmPTE"))
}

async fn spawn(n: usize) {
    const BATCH: usize = 1000;
    let done = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    for _ in 0..n / BATCH {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let d = done.clone();
            tasks.push(tokio::spawn(async move {
                d.fetch_add(1, Ordering::Relaxed);
            }));
        }
        for t in tasks {
            t.await.unwrap();
        }
    }
    per("spawn", start, n / BATCH * BATCH);
    equal("the number of tasks", done.load(Ordering::Relaxed), n / BATCH * BATCH);
}

async fn yields(n: usize) {
    async fn turns(n: usize) {
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
    }
    let start = Instant::now();
    let (a, b) = (tokio::spawn(turns(n / 2)), tokio::spawn(turns(n / 2)));
    a.await.unwrap();
    b.await.unwrap();
    per("yield", start, n);
}

async fn pingpong(n: usize) {
    let (there, mut at_there) = mpsc::channel::<usize>(1);
    let (back, mut at_back) = mpsc::channel::<usize>(1);
    let start = Instant::now();
    let other = tokio::spawn(async move {
        while let Some(v) = at_there.recv().await {
            back.send(v + 1).await.unwrap();
        }
    });
    for i in 0..n {
        there.send(i).await.unwrap();
        equal("the answer", at_back.recv().await.unwrap(), i + 1);
    }
    per("pingpong", start, n);
    drop(there);
    other.await.unwrap();
}

async fn buffered(n: usize) {
    let (tx, mut rx) = mpsc::channel::<usize>(128);
    let start = Instant::now();
    let producer = tokio::spawn(async move {
        for i in 0..n {
            tx.send(i).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(v) = rx.recv().await {
        sum += v;
    }
    per("buffered-1x1", start, n);
    producer.await.unwrap();
    equal("the sum", sum, n * (n - 1) / 2);
}

async fn pick(a: &mut mpsc::Receiver<usize>, b: &mut mpsc::Receiver<usize>) -> usize {
    tokio::select! {
        v = a.recv() => v.unwrap(),
        v = b.recv() => v.unwrap(),
    }
}

async fn select_ready(name: &str, n: usize) {
    let (a, mut at_a) = mpsc::channel::<usize>(1);
    let (b, mut at_b) = mpsc::channel::<usize>(1);
    let mut sum = 0;
    let start = Instant::now();
    for i in 0..n {
        if i % 2 == 0 { a.send(i).await.unwrap() } else { b.send(i).await.unwrap() }
        sum += pick(&mut at_a, &mut at_b).await;
    }
    per(name, start, n);
    equal("the sum", sum, n * (n - 1) / 2);
}

async fn select_blocked(name: &str, n: usize) {
    let (a, mut at_a) = mpsc::channel::<usize>(1);
    let (b, mut at_b) = mpsc::channel::<usize>(1);
    let mut sum = 0;
    let start = Instant::now();
    let sender = tokio::spawn(async move {
        for i in 0..n {
            if i % 2 == 0 { a.send(i).await.unwrap() } else { b.send(i).await.unwrap() }
        }
        (a, b)
    });
    for _ in 0..n {
        sum += pick(&mut at_a, &mut at_b).await;
    }
    per(name, start, n);
    sender.await.unwrap();
    equal("the sum", sum, n * (n - 1) / 2);
}

fn node(number: usize, size: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return number;
        }
        let part = size / 10;
        let kids: Vec<_> = (0..10).map(|i| tokio::spawn(node(number + i * part, part))).collect();
        let mut sum = 0;
        for k in kids {
            sum += k.await.unwrap();
        }
        sum
    })
}

async fn skynet(n: usize) {
    let mut leaves = 1;
    while leaves * 10 <= n {
        leaves *= 10;
    }
    let start = Instant::now();
    let sum = tokio::spawn(node(0, leaves)).await.unwrap();
    result("skynet", "ms", start.elapsed().as_secs_f64() * 1e3);
    result("skynet-peak", "MiB", status_kib("VmHWM") / 1024.0);
    equal("the sum", sum, leaves * (leaves - 1) / 2);
}

async fn ring(n: usize) {
    const TASKS: usize = 10000;
    let (first, mut rx) = mpsc::channel::<usize>(1);
    for _ in 0..TASKS - 1 {
        let (tx, next) = mpsc::channel::<usize>(1);
        tokio::spawn(async move {
            while let Some(v) = rx.recv().await {
                if tx.send(v - 1).await.is_err() {
                    return;
                }
            }
        });
        rx = next;
    }
    first.send(TASKS).await.unwrap();                // once around, so that every task has started and waits
    rx.recv().await.unwrap();
    let rounds = (n / TASKS).max(1);
    let start = Instant::now();
    for _ in 0..rounds {
        first.send(TASKS).await.unwrap();
        equal("the token", rx.recv().await.unwrap(), 1);
    }
    per("ring", start, rounds * TASKS);
}

async fn park_all(name: &str, n: usize, gate: &Arc<Semaphore>) -> Vec<tokio::task::JoinHandle<()>> {
    let left = Arc::new(AtomicUsize::new(n));
    let all = Arc::new(Notify::new());
    let start = Instant::now();
    let tasks = (0..n)
        .map(|_| {
            let (left, all, gate) = (left.clone(), all.clone(), gate.clone());
            tokio::spawn(async move {
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    all.notify_one();
                }
                gate.acquire().await.unwrap().forget();
            })
        })
        .collect();
    all.notified().await;
    per(name, start, n);
    tasks
}

async fn parked(n: usize) {
    let gate = Arc::new(Semaphore::new(0));
    let before = memory();
    let tasks = park_all("parked", n, &gate).await;
    result("parked-bytes", "B", (memory() - before) / n as f64);
    let start = Instant::now();
    for _ in 0..n {
        gate.add_permits(1);
    }
    for t in tasks {
        t.await.unwrap();
    }
    per("wake", start, n);
    let tasks = park_all("parked-warm", n, &gate).await;
    gate.add_permits(n);
    for t in tasks {
        t.await.unwrap();
    }
}

async fn timer(n: usize) {
    let start = Instant::now();
    for _ in 0..n {
        let sleep = tokio::time::sleep(Duration::from_secs(10));
        tokio::pin!(sleep);
        tokio::select! {                             // polled once, which sets it
            biased;
            _ = &mut sleep => equal("a timer that fired", 1, 0),
            _ = std::future::ready(()) => {}
        }
    }
    per("timer", start, n);
}

async fn mutex(n: usize) {
    let count = Arc::new(Mutex::new(0usize));
    let start = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let c = count.clone();
            tokio::spawn(async move {
                for _ in 0..n / 8 {
                    *c.lock().await += 1;
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
    per("mutex", start, n / 8 * 8);
    let got = *count.lock().await;
    equal("the count", got, n / 8 * 8);
}

struct Ended(Arc<AtomicUsize>, Arc<Notify>);

impl Drop for Ended {
    fn drop(&mut self) {
        if self.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.1.notify_one();
        }
    }
}

// A task that waits for ever with its children; when it is aborted, so are they.
fn branch(depth: u32, ready: Arc<Barrier>, left: Arc<AtomicUsize>, all: Arc<Notify>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let _ended = Ended(left.clone(), all.clone());
        let mut kids = JoinSet::new();
        if depth > 0 {
            for _ in 0..10 {
                kids.spawn(branch(depth - 1, ready.clone(), left.clone(), all.clone()));
            }
        }
        ready.wait().await;
        std::future::pending::<()>().await;
    })
}

// depth 5 is 111,111 tasks.
async fn cancel_tree(depth: usize) {
    let tasks = (0..depth).fold(1, |n, _| 10 * n + 1);
    let (left, all) = (Arc::new(AtomicUsize::new(tasks)), Arc::new(Notify::new()));
    let ready = Arc::new(Barrier::new(tasks + 1));
    let root = tokio::spawn(branch(depth as u32, ready.clone(), left, all.clone()));
    ready.wait().await;
    tokio::time::sleep(Duration::from_millis(50)).await;             // the last ones to arrive still have to park
    let start = Instant::now();
    root.abort();
    all.notified().await;
    result("cancel-tree", "ms", start.elapsed().as_secs_f64() * 1e3);
}

async fn run(name: String, n: usize) {
    let or = |usual: usize| if n > 0 { n } else { usual };
    match name.as_str() {
        "spawn" => spawn(or(1_000_000)).await,
        "yield" => yields(or(4_000_000)).await,
        "pingpong" => pingpong(or(1_000_000)).await,
        "buffered-1x1" => buffered(or(5_000_000)).await,
        "select-ready-2" | "select-ready-2-cases" => select_ready(&name, or(1_000_000)).await,
        "select-blocked-2" | "select-blocked-2-cases" => select_blocked(&name, or(1_000_000)).await,
        "skynet" => skynet(or(1_000_000)).await,
        "ring" => ring(or(1_000_000)).await,
        "parked" => parked(or(1_000_000)).await,
        "timer" => timer(or(3_000_000)).await,
        "mutex" => mutex(or(8_000_000)).await,
        "cancel-tree" => cancel_tree(or(5)).await,
        _ => {
            eprintln!("tokio_bench: no such benchmark: {}; usage: tokio_bench NAME [--workers N] [N]", name);
            std::process::exit(2);
        }
    }
}

fn main() {
    let (mut name, mut workers, mut n) = (String::new(), 2, 0);
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        if a == "--workers" {
            workers = args.next().and_then(|w| w.parse().ok()).unwrap_or(1);
        } else if let Ok(v) = a.parse() {
            n = v;
        } else {
            name = a;
        }
    }
    let mut builder = if workers == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_time().build().unwrap();
    runtime.block_on(async { tokio::spawn(run(name, n)).await }).unwrap();
    std::process::exit(0);                           // without taking apart what the system takes back anyway
}
