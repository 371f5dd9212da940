/* switch_x86_64.S - the stack switch of System V x86-64, and the storage of plat_self().  See switch.h and self.h.
 * No .note.gnu.property: the linker then turns shadow stacks off, which a switch by jmp would unbalance. */
#if defined(__x86_64__)
    .text
    .globl plat_switch_to
    .hidden plat_switch_to
    .type plat_switch_to, @function
    .p2align 4
plat_switch_to:                 /* rdi: save; rsi: load; rcx: where to resume; see plat_switch */
    .cfi_startproc
    pushq %rcx
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rax             /* this stack is left, and rax stored, where it goes on: plat_switch, plat_entry, plat_away_entry */
    movq 48(%rsi), %rcx
    movq (%rsi), %r15
    movq 8(%rsi), %r14
    movq 16(%rsi), %r13
    movq 24(%rsi), %r12
    movq 32(%rsi), %rbx
    movq 40(%rsi), %rbp
    jmp *%rcx
    .cfi_endproc
    .size plat_switch_to, .-plat_switch_to

    .globl plat_entry
    .hidden plat_entry
    .type plat_entry, @function
plat_entry:
    .cfi_startproc
    .cfi_undefined rip
    leaq 56(%rsi), %rsp
    movq %rax, (%rdi)
    xorl %ebp, %ebp
    pushq $0                    /* where a walk up the stack ends; a call would leave an address that no return takes off */
    jmp *%rbx
    .cfi_endproc
    .size plat_entry, .-plat_entry

    .globl plat_away_entry
    .hidden plat_away_entry
    .type plat_away_entry, %function
plat_away_entry:                /* rsi: the frame in the copy; the registers are the task's again */
    .cfi_startproc
    .cfi_undefined rip
    movq -16(%rsi), %rsp        /* never on the copy: a signal may come at any time */
    movq %rax, (%rdi)
    leaq -16(%rsi), %rdi
    movq %rsp, %rax
    andq $-16, %rsp
    pushq %rax
    pushq %rax
    call *plat_away_back(%rip)
    popq %rsi                   /* the frame in its place */
    movq %rsi, %rdi             /* nobody waits for what is stored: into the frame, which is used up */
    movq %rax, %rcx
    jmp *%rcx
    .cfi_endproc
    .size plat_away_entry, .-plat_away_entry

    .section .tbss, "awT", @nobits
    .globl leat_self_
    .hidden leat_self_
    .type leat_self_, @object
    .size leat_self_, 8
    .p2align 3
leat_self_:
    .zero 8

#endif
    .section .note.GNU-stack, "", @progbits
