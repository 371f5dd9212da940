/* switch_aarch64.S - the stack switch of AAPCS64, and the storage of plat_self().  See switch.h and self.h. */
#if defined(__aarch64__)
    .text
    .globl plat_switch
    .hidden plat_switch
    .type plat_switch, %function
    .p2align 4
plat_switch:
    .cfi_startproc
    mov x10, sp
    sub sp, sp, #176
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
    str x10, [sp, #160]         /* the stack to go on with: another one than this frame's, when this is a copy */
    mov x9, sp
    ldr x10, [x1, #160]
    ldp x19, x20, [x1, #0]
    ldp x21, x22, [x1, #16]
    ldp x23, x24, [x1, #32]
    ldp x25, x26, [x1, #48]
    ldp x27, x28, [x1, #64]
    ldp x29, x30, [x1, #80]
    ldp d8, d9, [x1, #96]
    ldp d10, d11, [x1, #112]
    ldp d12, d13, [x1, #128]
    ldp d14, d15, [x1, #144]
    mov sp, x10                 /* not before: what lies below sp is lost when a signal comes */
    stlr x9, [x0]               /* release: everything above is visible before the stack is anybody's */
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

    .globl plat_away_entry
    .hidden plat_away_entry
    .type plat_away_entry, %function
plat_away_entry:                /* x1: the frame in the copy; the registers are the task's again, sp is the frame in its place */
    .cfi_startproc
    .cfi_undefined x30
    sub x0, x1, #16             /* struct plat_away */
    adrp x10, plat_away_back
    ldr x10, [x10, #:lo12:plat_away_back]
    blr x10
    mov x30, x0
    add sp, sp, #176
    br x30
    .cfi_endproc
    .size plat_away_entry, .-plat_away_entry

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
