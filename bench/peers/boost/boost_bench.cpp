/* boost_bench - the benchmarks of bench/ with Boost.Fiber, under the same names.
 *     boost_bench NAME [--workers N] [N]       prints a JSON line a result, as leat_bench does
 * One worker: the scheduler that shares nothing, Boost's default.  Several: work_stealing.  A fiber's stack is of 16 KiB from malloc: the
 * pooled allocator may not be used by several threads. */
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <boost/fiber/all.hpp>

namespace fib = boost::fibers;
using clk = std::chrono::steady_clock;
using Wire = fib::unbuffered_channel<long>;
using Pipe = fib::buffered_channel<long>;
enum { STACK = 16 << 10, BATCH = 1000, RING = 10000, ROOM = 128, COUNTERS = 8 };

static void result(const char *name, const char *unit, double value)
{
    std::printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    std::fflush(stdout);
}

static double ns_since(clk::time_point start) { return std::chrono::duration<double, std::nano>(clk::now() - start).count(); }
static void per(const char *name, clk::time_point start, long n) { result(name, "ns", ns_since(start) / static_cast<double>(n)); }

static void equal(const char *what, long got, long want)
{
    if (got == want)
        return;
    std::fprintf(stderr, "boost_bench: %s is %ld, not %ld\n", what, got, want);
    std::exit(1);
}

static double status_kib(const char *field)
{
    std::ifstream f("/proc/self/status");
    std::string line;
    while (std::getline(f, line))
        if (line.compare(0, std::strlen(field), field) == 0 && line[std::strlen(field)] == ':')
            return std::strtod(line.c_str() + std::strlen(field) + 1, nullptr);
    return 0;
}

static double memory() { return 1024 * (status_kib("VmRSS") + status_kib("VmPTE")); }

template <class F> static fib::fiber go(F f) { return fib::fiber(std::allocator_arg, fib::fixedsize_stack(STACK), std::move(f)); }

static void join_all(std::vector<fib::fiber> &v)
{
    for (auto &f : v)
        f.join();
    v.clear();
}

static void spawn(long n)
{
    std::atomic<long> done{0};
    std::vector<fib::fiber> v;
    auto start = clk::now();
    for (long i = 0; i < n / BATCH; i++) {
        for (int k = 0; k < BATCH; k++)
            v.push_back(go([&] { done.fetch_add(1, std::memory_order_relaxed); }));
        join_all(v);
    }
    per("spawn", start, n / BATCH * BATCH);
    equal("the number of fibers", done, n / BATCH * BATCH);
}

static void yields(long n)
{
    std::vector<fib::fiber> v;
    auto start = clk::now();
    for (int k = 0; k < 2; k++)
        v.push_back(go([=] {
            for (long i = 0; i < n / 2; i++)
                boost::this_fiber::yield();
        }));
    join_all(v);
    per("yield", start, n);
}

static void pingpong(long n)
{
    Wire there, back;
    std::vector<fib::fiber> v;
    auto start = clk::now();
    v.push_back(go([&] {
        for (long i = 0, x = 0; i < n; i++) {
            there.push(i);
            back.pop(x);
            equal("the answer", x, i + 1);
        }
        there.close();
    }));
    v.push_back(go([&] {
        for (long x; there.pop(x) == fib::channel_op_status::success;)
            back.push(x + 1);
    }));
    join_all(v);
    per("pingpong", start, n);
}

template <class C> static void crowd(const char *name, C &c, int each, long n)
{
    std::vector<fib::fiber> senders, receivers;
    std::atomic<long> sum{0};
    long part = n / each;
    auto start = clk::now();
    for (int k = 0; k < each; k++) {
        senders.push_back(go([&, k] {
            for (long i = 0; i < part; i++)
                c.push(k * part + i);
        }));
        receivers.push_back(go([&] {
            long mine = 0;
            for (long x; c.pop(x) == fib::channel_op_status::success;)
                mine += x;
            sum += mine;
        }));
    }
    join_all(senders);
    c.close();
    join_all(receivers);
    per(name, start, part * each);
    equal("the sum", sum, part * each * (part * each - 1) / 2);
}

static long node(long number, long size)
{
    if (size == 1)
        return number;
    Pipe in(16);
    std::vector<fib::fiber> v;
    long part = size / 10, sum = 0;
    for (long i = 0; i < 10; i++)
        v.push_back(fib::fiber(fib::launch::dispatch, std::allocator_arg, fib::fixedsize_stack(STACK),
            [&in, number, part, i] { in.push(node(number + i * part, part)); }));
    for (long i = 0, x = 0; i < 10; i++) {
        in.pop(x);
        sum += x;
    }
    join_all(v);
    return sum;
}

static void skynet(long n)
{
    auto start = clk::now();
    long sum = node(0, n);
    result("skynet", "ms", ns_since(start) / 1e6);
    result("skynet-peak", "MiB", status_kib("VmHWM") / 1024);
    equal("the sum", sum, n * (n - 1) / 2);
}

static void ring(long n)
{
    std::vector<std::unique_ptr<Wire>> c;
    std::vector<fib::fiber> v;
    for (int i = 0; i <= RING; i++)
        c.emplace_back(new Wire);
    for (int i = 0; i < RING; i++)
        v.push_back(go([&c, i] {
            for (long x; c[i]->pop(x) == fib::channel_op_status::success;)
                c[i + 1]->push(x + 1);
            c[i + 1]->close();
        }));
    long x = 0, rounds = n / RING > 0 ? n / RING : 1;
    c[0]->push(0);                                   /* once around, so that every fiber has started and waits */
    c[RING]->pop(x);
    auto start = clk::now();
    for (long i = 0; i < rounds; i++) {
        c[0]->push(0);
        c[RING]->pop(x);
        equal("the token", x, RING);
    }
    per("ring", start, rounds * RING);
    c[0]->close();
    join_all(v);
}

static void park_all(const char *name, std::vector<fib::fiber> &v, Wire &c, long n)
{
    std::atomic<long> left{n};
    Pipe all(2);
    auto start = clk::now();
    for (long i = 0; i < n; i++)
        v.push_back(go([&] {
            long x;
            if (left.fetch_sub(1) == 1)
                all.push(1);
            c.pop(x);
        }));
    long x;
    all.pop(x);
    per(name, start, n);
}

static void parked(long n)
{
    std::vector<fib::fiber> v;
    Wire c;
    double before = memory();
    v.reserve(static_cast<size_t>(n));
    park_all("parked", v, c, n);
    result("parked-bytes", "B", (memory() - before) / static_cast<double>(n));
    auto start = clk::now();
    for (long i = 0; i < n; i++)
        c.push(1);
    join_all(v);
    per("wake", start, n);
    park_all("parked-warm", v, c, n);
    c.close();
    join_all(v);
}

static void mutex(long n)
{
    fib::mutex m;
    long count = 0;
    std::vector<fib::fiber> v;
    auto start = clk::now();
    for (int k = 0; k < COUNTERS; k++)
        v.push_back(go([&, n] {
            for (long i = 0; i < n / COUNTERS; i++) {
                std::unique_lock<fib::mutex> hold(m);
                ++count;
            }
        }));
    join_all(v);
    per("mutex", start, n / COUNTERS * COUNTERS);
    equal("the count", count, n / COUNTERS * COUNTERS);
}

static void run(const std::string &name, long n)
{
    auto usual = [n](long u) { return n > 0 ? n : u; };
    if (name == "spawn")
        return spawn(usual(500000));
    if (name == "yield")
        return yields(usual(5000000));
    if (name == "pingpong")
        return pingpong(usual(500000));
    if (name == "buffered-1x1" || name == "buffered-4x4") {
        Pipe c(ROOM);
        return crowd(name.c_str(), c, name == "buffered-1x1" ? 1 : 4, usual(1000000));
    }
    if (name == "skynet")
        return skynet(usual(1000000));
    if (name == "ring")
        return ring(usual(500000));
    if (name == "parked")
        return parked(usual(100000));
    if (name == "mutex")
        return mutex(usual(2000000));
    std::fprintf(stderr, "boost_bench: no such benchmark: %s; usage: boost_bench NAME [--workers N] [N]\n", name.c_str());
    std::exit(2);
}

int main(int argc, char **argv)
{
    std::string name;
    long n = 0;
    int workers = 2;
    for (int i = 1; i < argc; i++) {
        if (std::strcmp(argv[i], "--workers") == 0 && argv[i + 1])
            workers = std::atoi(argv[++i]);
        else if (std::atol(argv[i]) > 0)
            n = std::atol(argv[i]);
        else
            name = argv[i];
    }
    std::vector<std::thread> others;
    std::mutex m;
    fib::condition_variable_any ended;
    bool over = false;
    for (int i = 1; i < workers; i++)
        others.emplace_back([&, workers] {
            fib::use_scheduling_algorithm<fib::algo::work_stealing>(static_cast<unsigned>(workers));
            std::unique_lock<std::mutex> hold(m);
            ended.wait(hold, [&] { return over; });
        });
    if (workers > 1)
        fib::use_scheduling_algorithm<fib::algo::work_stealing>(static_cast<unsigned>(workers));
    run(name, n);
    {
        std::unique_lock<std::mutex> hold(m);
        over = true;
    }
    ended.notify_all();
    for (auto &t : others)
        t.join();
    return 0;
}
