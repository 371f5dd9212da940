%% leat_bench - the benchmarks of bench/ in Erlang, under the same names.
%%     erl -noinput -pa DIR -s leat_bench main -extra NAME [N]       prints a JSON line a result, as leat_bench does
%% Rows between processes use a second node, which connects to this one: both know the port by -erl_epmd_port, so there is no epmd.
%% The number of schedulers is erl's own option, +S.  A process has one mailbox without a limit and no channels, so the rows of channels
%% that fill up and of selects have no equal here.
-module(leat_bench).
-export([main/0, hibernated/0, other/0]).

-define(BATCH, 1000).
-define(RING, 10000).

main() ->
    {Name, Given} = case init:get_plain_arguments() of
        [X] -> {X, 0};
        [X, N] -> {X, list_to_integer(N)};
        _ -> {"", 0}
    end,
    case usual(Name) of
        none ->
            io:format(standard_error, "erlang: no such benchmark: ~s~n", [Name]),
            halt(2);
        Usual ->
            run(Name, if Given > 0 -> Given; true -> Usual end),
            halt(0)
    end.

usual("spawn") -> 1000000;
usual("yield") -> 5000000;
usual("pingpong") -> 1000000;
usual("skynet") -> 1000000;
usual("ring") -> 1000000;
usual("parked") -> 1000000;
usual("hibernated") -> 1000000;
usual("timer") -> 2000000;
usual("cancel-tree") -> 5;
usual("tcp-pingpong") -> 10000;
usual("tcp-stream-8") -> 1000000;
usual("tcp-stream-1k") -> 300000;
usual("tcp-stream-1m") -> 1000;
usual("calls-1") -> 10000;
usual("calls-16") -> 50000;
usual("calls-256") -> 100000;
usual(_) -> none.

run("spawn", N) -> spawn_all(N div ?BATCH);
run("yield", N) -> yields(N div 2);
run("pingpong", N) -> pingpong(N);
run("skynet", N) -> skynet(N);
run("ring", N) -> ring(N div ?RING);
run("parked", N) -> parked(N);
run("hibernated", N) -> hibernated_bytes(N);
run("timer", N) -> timer(N);
run("cancel-tree", N) -> cancel_tree(N);
run("tcp-pingpong", N) -> with_other(fun(Other) -> net_pingpong(Other, N) end);
run("tcp-stream-8", N) -> with_other(fun(Other) -> stream("tcp-stream-8", Other, N, <<>>) end);
run("tcp-stream-1k", N) -> with_other(fun(Other) -> stream("tcp-stream-1k", Other, N, binary:copy(<<0>>, 1024)) end);
run("tcp-stream-1m", N) -> with_other(fun(Other) -> stream("tcp-stream-1m", Other, N, binary:copy(<<0>>, 1048576)) end);
run("calls-1", N) -> with_other(fun(Other) -> calls("calls-1", Other, N, 1) end);
run("calls-16", N) -> with_other(fun(Other) -> calls("calls-16", Other, N, 16) end);
run("calls-256", N) -> with_other(fun(Other) -> calls("calls-256", Other, N, 256) end).

now_ns() -> erlang:monotonic_time(nanosecond).
result(Name, Unit, Value) -> io:format("{\"bench\":\"~s\",\"unit\":\"~s\",\"value\":~w}~n", [Name, Unit, float(Value)]).
per(Name, Start, N) -> result(Name, "ns", (now_ns() - Start) / N).

equal(_, Same, Same) -> ok;
equal(What, Got, Want) ->
    io:format(standard_error, "erlang: ~s is ~w, not ~w~n", [What, Got, Want]),
    halt(1).

status_kib(Field) ->
    {ok, Text} = file:read_file("/proc/self/status"),
    [Rest | _] = [R || L <- binary:split(Text, <<"\n">>, [global]), [F, R] <- [binary:split(L, <<":">>)], F =:= Field],
    [Digits | _] = string:lexemes(binary_to_list(Rest), " \t"),
    list_to_integer(Digits).

memory() -> 1024 * (status_kib(<<"VmRSS">>) + status_kib(<<"VmPTE">>)).

take(0) -> ok;
take(N) -> receive done -> take(N - 1) end.

repeat(0, _) -> ok;
repeat(N, F) -> F(), repeat(N - 1, F).

spawn_all(Batches) ->
    Me = self(),
    Start = now_ns(),
    repeat(Batches, fun() ->
        repeat(?BATCH, fun() -> spawn(fun() -> Me ! done end) end),
        take(?BATCH)
    end),
    per("spawn", Start, max(1, Batches) * ?BATCH).

yields(N) ->
    Me = self(),
    Start = now_ns(),
    repeat(2, fun() -> spawn(fun() -> repeat(N, fun erlang:yield/0), Me ! done end) end),
    take(2),
    per("yield", Start, 2 * N).

pingpong(N) ->
    Me = self(),
    Other = spawn(fun() -> answer(Me) end),
    Start = now_ns(),
    ask(Other, N),
    per("pingpong", Start, N).

answer(To) -> receive X -> To ! X + 1, answer(To) end.
ask(_, 0) -> ok;
ask(Other, N) ->
    Other ! N,
    receive X -> equal("the answer", X, N + 1) end,
    ask(Other, N - 1).

node(To, Number, 1) -> To ! Number;
node(To, Number, Size) ->
    Me = self(),
    Part = Size div 10,
    lists:foreach(fun(I) -> spawn(fun() -> node(Me, Number + I * Part, Part) end) end, lists:seq(0, 9)),
    To ! sum(10, 0).

sum(0, Sum) -> Sum;
sum(N, Sum) -> receive X -> sum(N - 1, Sum + X) end.

skynet(N) ->
    Me = self(),
    Start = now_ns(),
    spawn(fun() -> node(Me, 0, N) end),
    Sum = sum(1, 0),
    result("skynet", "ms", (now_ns() - Start) / 1.0e6),
    result("skynet-peak", "MiB", status_kib(<<"VmHWM">>) / 1024),
    equal("the sum", Sum, N * (N - 1) div 2).

pass(Next) -> receive X -> Next ! X - 1, pass(Next) end.

ring(Rounds) ->
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> pass(Next) end) end, self(), lists:seq(1, ?RING)),
    around(First),                                   % so that every process has started and waits
    Start = now_ns(),
    repeat(max(1, Rounds), fun() -> around(First) end),
    per("ring", Start, max(1, Rounds) * ?RING).

around(First) ->
    First ! ?RING,
    receive X -> equal("the token", X, 0) end.

park(Me) ->
    Me ! done,
    receive go -> Me ! done end.

park_all(Name, N) ->
    Me = self(),
    Start = now_ns(),
    Pids = [spawn(fun() -> park(Me) end) || _ <- lists:seq(1, N)],
    take(N),
    per(Name, Start, N),
    Pids.

wake_all(Pids) ->
    lists:foreach(fun(P) -> P ! go end, Pids),
    take(length(Pids)).

parked(N) ->
    Before = memory(),
    Pids = park_all("parked", N),
    result("parked-bytes", "B", (memory() - Before) / N),
    Start = now_ns(),
    wake_all(Pids),
    per("wake", Start, N),
    wake_all(park_all("parked-warm", N)).

hibernated() -> receive go -> ok end.

hibernated_bytes(N) ->
    Before = memory(),
    Me = self(),
    Pids = [spawn(fun() -> Me ! done, erlang:hibernate(?MODULE, hibernated, []) end) || _ <- lists:seq(1, N)],
    take(N),
    result("hibernated-bytes", "B", (memory() - Before) / N),
    lists:foreach(fun(P) -> P ! go end, Pids).

timer(N) ->
    Start = now_ns(),
    repeat(N, fun() -> erlang:cancel_timer(erlang:start_timer(10000, self(), x)) end),
    per("timer", Start, N).

branch(Main, Depth) ->
    if Depth > 0 -> repeat(10, fun() -> spawn_link(fun() -> branch(Main, Depth - 1) end) end); true -> ok end,
    Main ! {up, self()},
    receive never -> ok end.

tasks(0) -> 1;
tasks(Depth) -> 10 * tasks(Depth - 1) + 1.

%% An exit signal goes along the links; that each process has ended is told by a monitor.
cancel_tree(Depth) ->
    Me = self(),
    Root = spawn(fun() -> branch(Me, Depth) end),
    N = tasks(Depth),
    repeat(N, fun() -> receive {up, P} -> monitor(process, P) end end),
    Start = now_ns(),
    exit(Root, shutdown),
    repeat(N, fun() -> receive {'DOWN', _, process, _, _} -> ok end end),
    result("cancel-tree", "ms", (now_ns() - Start) / 1.0e6).

%% Between two nodes.
flag(Name) -> {ok, [[Value]]} = init:get_argument(Name), Value.

with_other(F) ->
    register(bench, self()),
    open_port({spawn_executable, os:find_executable("erl")},
        [{args, ["-noinput", "+S", integer_to_list(erlang:system_info(schedulers)), "-start_epmd", "false", "-erl_epmd_port", flag(erl_epmd_port),
                 "-dist_listen", "false", "-name", "other@127.0.0.1", "-setcookie", atom_to_list(erlang:get_cookie()),
                 "-pa", filename:dirname(code:which(?MODULE)), "-s", "leat_bench", "other"]}]),
    receive {other, Pid} -> ok end,
    F(Pid),
    Ref = monitor(process, Pid),
    Pid ! stop,
    receive {'DOWN', Ref, _, _, _} -> ok end.

other() ->
    true = net_kernel:connect_node('bench@127.0.0.1'),
    monitor_node('bench@127.0.0.1', true),
    {bench, 'bench@127.0.0.1'} ! {other, self()},
    serve(0).

serve(Sum) ->
    receive
        {ask, From, V} -> From ! V + 1, serve(Sum);
        {add, V, _} -> serve(Sum + V);
        {sum, From} -> From ! Sum, serve(0);
        stop -> halt(0);
        {nodedown, _} -> halt(0)
    end.

net_pingpong(Other, N) ->
    Start = now_ns(),
    net_ask(Other, N),
    result("tcp-pingpong", "us", (now_ns() - Start) / 1000 / N).

net_ask(_, 0) -> ok;
net_ask(Other, N) ->
    Other ! {ask, self(), N},
    receive X -> equal("the answer", X, N + 1) end,
    net_ask(Other, N - 1).

put_all(_, N, N, _) -> ok;
put_all(Other, I, N, Data) ->
    Other ! {add, I, Data},
    put_all(Other, I + 1, N, Data).

stream(Name, Other, N, Data) ->
    Start = now_ns(),
    put_all(Other, 0, N, Data),
    Other ! {sum, self()},
    receive Sum -> equal("the sum", Sum, N * (N - 1) div 2) end,
    Seconds = (now_ns() - Start) / 1.0e9,
    case byte_size(Data) >= 1048576 of
        true -> result(Name, "MB/s", N * byte_size(Data) / 1.0e6 / Seconds);
        false -> result(Name, "/s", N / Seconds)
    end.

calls(Name, Other, N, Callers) ->
    Me = self(),
    Each = N div Callers + 1,
    Start = now_ns(),
    repeat(Callers, fun() -> spawn(fun() -> net_ask(Other, Each), Me ! done end) end),
    take(Callers),
    result(Name, "/s", Each * Callers / ((now_ns() - Start) / 1.0e9)).
