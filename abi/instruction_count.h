/* How a guest, or a program in it, asks Vitrine how many instructions were executed: a leaf of CPUID, which any ring
 * may use.
 *
 * All CPUs' since power-on, the asking one included. A halted CPU executes none: unlike the time stamp counter, the
 * count tells work from waiting. Other machines answer with something else, which is told by the magic in EBX.
 */
#ifndef VITRINE_ABI_INSTRUCTION_COUNT_H
#define VITRINE_ABI_INSTRUCTION_COUNT_H

/* EBX: the magic; EDX:EAX: the count; ECX: 0. The leaf is one of those that processors never have (SDM vol. 2, CPUID).
 */
#define VITRINE_INSTRUCTION_COUNT_LEAF 0x4F435456u
#define VITRINE_INSTRUCTION_COUNT_MAGIC 0x52545631u

/* 0: this is not Vitrine, and nobody counts. */
static inline unsigned long long vitrine_instructions(void) {
  unsigned int a = VITRINE_INSTRUCTION_COUNT_LEAF, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
  return b == VITRINE_INSTRUCTION_COUNT_MAGIC ? (unsigned long long)d << 32 | a : 0;
}

#endif
