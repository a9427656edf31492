// A fork bomb: processes that do nothing but fork, until the kernel says EAGAIN to all of them. The system must live
// on: others still get on meanwhile, and when the bomb's processes are killed, all is as before.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

int ends[2];

[[noreturn]] void explode() {
  for (;;) {
    const i64 child = call(Call::fork);
    if (child >= 0) continue;  // the parent and the child alike
    const char letter = child == -11 ? 'E' : '?';
    call(Call::write, ends[1], &letter, 1);
    for (;;) call(Call::pause);
  }
}

u64 processes_until_the_limit() {
  u64 refused = 0;
  for (char letter; refused < 100 && call(Call::read, ends[0], &letter, 1) == 1; ++refused) {
    if (letter != 'E') show("fork failed otherwise", letter);
  }
  return refused;
}

}  // namespace

int main_program(int, char**, char**) {
  begin_part("fork bomb");
  for (int round = 0; round < 3; ++round) {
    call(Call::pipe2, ends, 0);
    const i64 bomb = start_child([]() -> int {
      call(Call::setpgid, 0, 0);
      explode();
    });
    show("processes that got EAGAIN", static_cast<i64>(processes_until_the_limit()));
    show("fork is refused here too", call(Call::fork));
    char byte = 0;
    const i64 file = call(Call::open, "/dev/zero", 0, 0);
    show("other calls work", call(Call::read, file, &byte, 1));
    call(Call::close, file);
    show("kill", call(Call::kill, -bomb, signal::kill));
    show("wait", wait_for(bomb) & 0x7F);
    call(Call::close, ends[0]);
    call(Call::close, ends[1]);
    // The others are init's now, and go one by one.
    i64 child = -1;
    for (int tries = 0; tries < 200 && child < 0; ++tries) {
      child = call(Call::fork);
      if (child == 0) end(3);
      if (child < 0) sleep_milliseconds(10);
    }
    show("fork works again", child > 0);
    show("status", wait_for(child));
  }
  return 0;
}
