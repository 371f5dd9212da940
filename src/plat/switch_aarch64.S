/* switch_aarch64.S - the stack switch of AAPCS64, and the storage of plat_self().  See switch.h and self.h. */
#if defined(__aarch64__)
    .text
    .globl plat_switch
    .hidden plat_switch
    .type plat_switch, %function
    .p2align 4
plat_switch:
    .cfi_startproc
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    mov sp, x1
    stlr x9, [x0]               /* release: everything above is visible before the stack is anybody's */
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    br x30
    .cfi_endproc
    .size plat_switch, .-plat_switch

    .globl plat_entry
    .hidden plat_entry
    .type plat_entry, %function
plat_entry:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, #0
    blr x19
    brk #1
    .cfi_endproc
    .size plat_entry, .-plat_entry

    .section .tbss, "awT", %nobits
    .globl leat_self_
    .hidden leat_self_
    .type leat_self_, %object
    .size leat_self_, 8
    .p2align 3
leat_self_:
    .zero 8

#endif
    .section .note.GNU-stack, "", %progbits
