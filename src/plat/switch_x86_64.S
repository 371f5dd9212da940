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
    movq %rsp, %rax
    movq %rsi, %rsp
    movq %rax, (%rdi)           /* last: on x86 stores stay in order, so this is a release */
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
    .cfi_endproc
    .size plat_switch_to, .-plat_switch_to

    .globl plat_entry
    .hidden plat_entry
    .type plat_entry, @function
plat_entry:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    pushq $0                    /* where a walk up the stack ends; a call would leave an address that no return takes off */
    jmp *%rbx
    .cfi_endproc
    .size plat_entry, .-plat_entry

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
