// A program that only has its debug information read: a function that the compiler puts into another one.
volatile int sink;

namespace driver {
static inline __attribute__((always_inline)) void poke(int value) {
  sink = value;
  sink = value + 1;
}
__attribute__((noinline)) void handler(int value) {
  poke(value);
  sink = 7;
}
}  // namespace driver

extern "C" void _start() {
  driver::handler(3);
  for (;;) sink = sink + 1;
}
