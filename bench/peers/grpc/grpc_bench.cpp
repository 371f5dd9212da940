// grpc_bench - the rows between processes with gRPC for C++: one stream for a channel, the callback API for calls.
#include <grpcpp/grpcpp.h>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include "bench.grpc.pb.h"
#include "../pair.h"

using bench::Number;

static std::mutex mutex;
static std::condition_variable changed;
static bool over;

static void end()
{
    std::lock_guard<std::mutex> l(mutex);
    over = true;
    changed.notify_all();
}

static void wait_end()
{
    std::unique_lock<std::mutex> l(mutex);
    changed.wait(l, [] { return over; });
}

// A call of -1 ends the server.
class Service final : public bench::Bench::WithCallbackMethod_Increment<bench::Bench::Service> {
    grpc::ServerUnaryReactor *Increment(grpc::CallbackServerContext *context, const Number *in, Number *out) override
    {
        out->set_v(in->v() + 1);
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        if (in->v() == -1)
            end();
        return reactor;
    }

    grpc::Status PingPong(grpc::ServerContext *, grpc::ServerReaderWriter<Number, Number> *stream) override
    {
        for (Number x; stream->Read(&x); stream->Write(x))
            x.set_v(x.v() + 1);
        return grpc::Status::OK;
    }

    grpc::Status Sum(grpc::ServerContext *, grpc::ServerReader<Number> *in, Number *out) override
    {
        int64_t sum = 0;
        for (Number x; in->Read(&x); )
            sum += x.v();
        out->set_v(sum);
        return grpc::Status::OK;
    }
};

static bool local(const char *url) { return strncmp(url, "unix:", 5) == 0; }

static void serve(const char *url)
{
    Service service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.SetMaxReceiveMessageSize(4 * MIB);
    builder.AddListeningPort(url, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        pair_fail("the server", "does not start");
    pair_tell(local(url) ? url : ("127.0.0.1:" + std::to_string(port)).c_str());
    wait_end();
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
}

static std::shared_ptr<grpc::Channel> channel_to(const char *url, int id)
{
    grpc::ChannelArguments args;
    args.SetInt("bench.id", id);                      // channels of the same arguments would share a connection
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(url, grpc::InsecureChannelCredentials(), args);
}

static int64_t increment(bench::Bench::Stub *stub, int64_t v)
{
    grpc::ClientContext context;
    Number in, out;
    in.set_v(v);
    grpc::Status status = stub->Increment(&context, in, &out);
    if (!status.ok() && v != -1)
        pair_fail("a call", status.error_message().c_str());
    return out.v();
}

static void run_pingpong(const char *name, const char *url, long n)
{
    auto stub = bench::Bench::NewStub(channel_to(url, 0));
    grpc::ClientContext context;
    auto stream = stub->PingPong(&context);
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++) {
        Number x;
        x.set_v(i);
        if (!stream->Write(x) || !stream->Read(&x) || x.v() != i + 1)
            pair_fail(name, "a wrong answer");
    }
    pair_result(name, "us", (pair_now_ns() - start) / 1e3 / (double)n);
    stream->WritesDone();
    if (!stream->Finish().ok())
        pair_fail(name, "the stream failed");
    increment(stub.get(), -1);
}

static void run_stream(const char *name, const char *url, long n)
{
    auto stub = bench::Bench::NewStub(channel_to(url, 0));
    grpc::ClientContext context;
    Number sum, x;
    auto out = stub->Sum(&context, &sum);
    if (pair_now->size > 8)
        x.set_data(std::string(pair_now->size, 'x'));
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++) {
        x.set_v(i);
        if (!out->Write(x, grpc::WriteOptions().set_buffer_hint()))
            pair_fail(name, "the stream broke");
    }
    out->WritesDone();
    if (!out->Finish().ok() || sum.v() != (int64_t)n * (n - 1) / 2)
        pair_fail(name, "a wrong sum");
    pair_rate(name, start, n);
    increment(stub.get(), -1);
}

// One call after the other; the callback of one makes the next.
struct Caller {
    bench::Bench::Stub *stub;
    std::atomic<int64_t> *sent, *sum;
    std::atomic<long> *left;
    long n;
    std::unique_ptr<grpc::ClientContext> context;
    Number in, out;

    void next()
    {
        int64_t v = sent->fetch_add(1);
        if (v >= n)
            return;
        context = std::make_unique<grpc::ClientContext>();
        in.set_v(v);
        stub->async()->Increment(context.get(), &in, &out, [this](grpc::Status status) {
            if (!status.ok())
                pair_fail("a call", status.error_message().c_str());
            *sum += out.v();
            if (left->fetch_sub(1) == 1)
                end();
            else
                next();
        });
    }
};

static void run_calls(const char *name, const char *url, long n)
{
    auto stub = bench::Bench::NewStub(channel_to(url, 0));
    std::atomic<int64_t> sent{0}, sum{0};
    std::atomic<long> left{n};
    std::vector<Caller> callers(pair_now->at_a_time);
    double start = pair_now_ns();
    for (auto &c : callers) {
        c.stub = stub.get();
        c.sent = &sent;
        c.sum = &sum;
        c.left = &left;
        c.n = n;
        c.next();
    }
    wait_end();
    pair_rate(name, start, n);
    if (sum != (int64_t)n * (n + 1) / 2)
        pair_fail(name, "a wrong sum");
    increment(stub.get(), -1);
}

static void run_setup(const char *name, const char *url, long n)
{
    double ns = 0;
    for (int i = 0; i < n; i++) {
        double start = pair_now_ns();
        auto stub = bench::Bench::NewStub(channel_to(url, i + 1));
        increment(stub.get(), i);
        ns += pair_now_ns() - start;
    }
    pair_result(name, "us", ns / 1e3 / (double)n);
    auto stub = bench::Bench::NewStub(channel_to(url, 0));
    increment(stub.get(), -1);
}

int main(int argc, char **argv)
{
    static const struct pair_bench all[] = {
        { "tcp-pingpong", 3000, serve, run_pingpong, 8, 0, 0 },
        { "unix-pingpong", 3000, serve, run_pingpong, 8, 0, 0 },
        { "tcp-stream-8", 200000, serve, run_stream, 8, 0, 1 },
        { "unix-stream-8", 200000, serve, run_stream, 8, 0, 0 },
        { "tcp-stream-1k", 100000, serve, run_stream, KIB, 0, 0 },
        { "tcp-stream-1m", 500, serve, run_stream, MIB, 0, 0 },
        { "unix-stream-1m", 500, serve, run_stream, MIB, 0, 0 },
        { "calls-1", 3000, serve, run_calls, 8, 1, 0 },
        { "calls-16", 20000, serve, run_calls, 8, 16, 0 },
        { "calls-256", 30000, serve, run_calls, 8, 256, 0 },
        { "tcp-setup", 100, serve, run_setup, 8, 0, 0 },
        { "unix-setup", 100, serve, run_setup, 8, 0, 0 },
        { nullptr, 0, nullptr, nullptr, 0, 0, 0 }
    };
    return pair_main(argc, argv, all, "127.0.0.1:0", "unix:");
}
