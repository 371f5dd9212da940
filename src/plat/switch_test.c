/* switch_test.c - stacks and thread pointers without the runtime: what a switch keeps, on each CPU. */
#include <pthread.h>
#include "plat/mem.h"
#include "plat/self.h"
#include "plat/switch.h"
#include "t.h"

static void *_Atomic main_sp, *_Atomic other_sp;
static int rounds;
static double kept;

static void other(void)
{
    volatile double a = 1.5, b = 2.5;
    for (;;) {
        int r = rounds;
        a += b;
        kept = a;
        plat_switch(&other_sp, main_sp);
        if (rounds != r + 1)
            t_fail(__FILE__, __LINE__, "round %d after %d", rounds, r);
    }
}

/* Many live values, so that every callee-saved register holds one over the switch. */
static __attribute__((noinline)) uint64_t mixed(uint64_t seed, void *sp)
{
    uint64_t a = seed * 3, b = seed ^ 0x5555, c = seed + 77, d = seed * seed, e = ~seed, f = seed << 7;
    double x = (double)seed * 0.5, y = (double)seed + 0.25, z = x * y;
    plat_switch(&main_sp, sp);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + (uint64_t)(x + y + z);
}

static uint64_t plain(uint64_t seed)
{
    uint64_t a = seed * 3, b = seed ^ 0x5555, c = seed + 77, d = seed * seed, e = ~seed, f = seed << 7;
    double x = (double)seed * 0.5, y = (double)seed + 0.25, z = x * y;
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + (uint64_t)(x + y + z);
}

TEST(a_switch_keeps_registers_and_floats)
{
    size_t size = 64 << 10;
    char *stack = plat_mem_reserve(size);
    CHECK(stack && plat_mem_guard(stack));
    void *sp = plat_switch_init(stack + size, other);
    for (rounds = 0; rounds < 1000; rounds++) {
        uint64_t want = plain((uint64_t)rounds + 1);
        CHECK(mixed((uint64_t)rounds + 1, rounds ? other_sp : sp) == want);
        CHECK(kept == 1.5 + 2.5 * (rounds + 1));
    }
    plat_mem_release(stack, size);
}

static void aligned(void)
{
    _Alignas(16) volatile char here[16];
    here[0] = 1;
    kept = (double)((uintptr_t)here % 16);
    char text[64];
    snprintf(text, sizeof text, "%g", 0.5);          /* libc uses aligned vector stores */
    plat_switch(&other_sp, main_sp);
}

TEST(a_new_stack_is_aligned_as_the_abi_says)
{
    size_t size = 64 << 10;
    char *stack = plat_mem_reserve(size);
    plat_switch(&main_sp, plat_switch_init(stack + size, aligned));
    CHECK(kept == 0);
    plat_mem_release(stack, size);
}

static void *thread_self(void *arg)
{
    CHECK(plat_self() == NULL);
    plat_self_set(arg);
    CHECK(plat_self() == arg);
    return plat_self();
}

TEST(each_thread_has_a_pointer_of_its_own)
{
    int mine, theirs;
    void *ret;
    pthread_t t;
    plat_self_set(&mine);
    pthread_create(&t, NULL, thread_self, &theirs);
    pthread_join(t, &ret);
    CHECK(ret == &theirs && plat_self() == &mine);
    plat_self_set(NULL);
}

TEST(a_guard_faults)
{
    size_t size = 64 << 10;
    char *stack = plat_mem_reserve(size);
    CHECK(plat_mem_guard(stack));
    stack[plat_page()] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)stack = 1;
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(status != 0);
    plat_mem_release(stack, size);
}

TEST(many_guards_at_once_fault_each)
{
    enum { N = 40 };
    size_t size = 64 << 10;
    char *stacks = plat_mem_reserve(N * size);
    if (!plat_mem_guards(stacks, size, N))
        for (int i = 0; i < N; i++)
            CHECK(plat_mem_guard(stacks + i * size));
    for (int i = 0; i < N; i++) {
        stacks[i * size + plat_page()] = 1;
        stacks[i * size + size - 1] = 1;
    }
    for (int i = 0; i < N; i += 13) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGSEGV, SIG_DFL);
            *(volatile char *)(stacks + i * size) = 1;
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        CHECK(status != 0);
    }
    plat_mem_release(stacks, N * size);
}

T_MAIN()
