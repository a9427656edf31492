/* How a guest tells Vitrine about its threads: writes to one I/O port that is harmless elsewhere.
 *
 * Any kernel may include this file (C or C++, 32 or 64 bits). Each message is one 32-bit OUT to VITRINE_ANNOTATION_PORT;
 * a PC has nothing there, so on other machines the write goes nowhere. A thread is any number below 2^28 of the guest's
 * own choice; numbers may be used again after an exit. docs/annotations.md is the full text.
 */
#ifndef VITRINE_ABI_ANNOTATION_H
#define VITRINE_ABI_ANNOTATION_H

/* A read of 32 bits answers VITRINE_ANNOTATION_MAGIC on Vitrine and (mostly) all ones elsewhere. */
#define VITRINE_ANNOTATION_PORT 0x00E4
#define VITRINE_ANNOTATION_MAGIC 0x52545631u /* "1VTR" in memory order */

/* Bits 31..28: what; bits 27..0: the thread, or as said. */
#define VITRINE_THREAD_RUNS 0x10000000u    /* this CPU goes on with the thread */
#define VITRINE_THREAD_WOKEN 0x20000000u   /* the thread can run again */
#define VITRINE_THREAD_BLOCKED 0x30000000u /* the thread, which runs now, will wait */
#define VITRINE_THREAD_EXITED 0x40000000u  /* its number is free again */
#define VITRINE_THREAD_NAME 0x50000000u    /* the bytes that follow are this thread's name */
#define VITRINE_NAME_BYTES 0x60000000u     /* bits 23..0: up to three bytes, the first lowest; a 0 byte ends the name */

#define VITRINE_THREAD_MASK 0x0FFFFFFFu

static inline void vitrine_annotate(unsigned int message) {
  __asm__ volatile("outl %0, %1" : : "a"(message), "Nd"((unsigned short)VITRINE_ANNOTATION_PORT) : "memory");
}
static inline int vitrine_is_here(void) {
  unsigned int answer;
  __asm__ volatile("inl %1, %0" : "=a"(answer) : "Nd"((unsigned short)VITRINE_ANNOTATION_PORT) : "memory");
  return answer == VITRINE_ANNOTATION_MAGIC;
}
static inline void vitrine_thread_name(unsigned int thread, const char* name) {
  vitrine_annotate(VITRINE_THREAD_NAME | (thread & VITRINE_THREAD_MASK));
  for (int ended = 0; !ended;) {
    unsigned int bytes = 0;
    for (int i = 0; i < 3 && !ended; ++i) {
      bytes |= (unsigned int)(unsigned char)*name << (8 * i);
      if (*name) ++name; else ended = 1;
    }
    vitrine_annotate(VITRINE_NAME_BYTES | bytes);
  }
}

#endif
