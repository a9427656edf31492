// Names of registers in inline assembly that is written once for both widths.
#pragma once

#ifdef __x86_64__
#define AX "%%rax"
#define BX "%%rbx"
#define SP "%%rsp"
#define AX_BX_CLOBBERED "rax", "rbx"
#else
#define AX "%%eax"
#define BX "%%ebx"
#define SP "%%esp"
#define AX_BX_CLOBBERED "eax", "ebx"
#endif
