// The first instructions of a program, of a thread, and the return from a handler.
#include "user/runtime/program.hpp"

extern "C" {

[[noreturn, gnu::used]] void start_program(user::i64* stack) {
  const auto count = static_cast<int>(stack[0]);
  char** const arguments = reinterpret_cast<char**>(stack + 1);
  user::end(main_program(count, arguments, arguments + count + 1));
}

// The stack as execve(2) leaves it: the number of arguments, then their addresses.
asm(R"(
.globl _start
_start:
  xorl %ebp, %ebp
  movq %rsp, %rdi
  andq $-16, %rsp
  call start_program

.globl signal_restorer
signal_restorer:
  movl $15, %eax
  syscall

# clone_words(flags, stack, parent_tid, child_tid, thread_pointer, body, argument): in the child, body(argument).
.globl clone_words
clone_words:
  movq 8(%rsp), %rax
  subq $16, %rsi
  movq %r9, (%rsi)
  movq %rax, 8(%rsi)
  movq %rcx, %r10
  movl $56, %eax
  syscall
  testq %rax, %rax
  jz 1f
  ret
1:
  xorl %ebp, %ebp
  popq %rax
  popq %rdi
  call *%rax
  xorl %edi, %edi
  movl $60, %eax
  syscall
)");

// The compiler may ask for these even in a program without a library.
void* memset(void* to, int value, std::size_t count) {
  void* const begin = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
  return begin;
}
void* memcpy(void* to, const void* from, std::size_t count) {
  void* const begin = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
  return begin;
}
int memcmp(const void* left, const void* right, std::size_t count) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < count; ++i) {
    if (a[i] != b[i]) return a[i] - b[i];
  }
  return 0;
}
std::size_t strlen(const char* text) {
  std::size_t length = 0;
  while (text[length] != 0) ++length;
  return length;
}
}
