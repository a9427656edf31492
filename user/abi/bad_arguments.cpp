// Bad pointers and absurd sizes: an errno or a signal, and it is the one that Linux gives.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

char bytes[4096];
int ends[2];
i64 file, zero, null;

struct BadAddress {
  std::string_view name;
  u8* address;
};
const BadAddress bad_addresses[] = {{" (0)", nullptr},
                                    {" (not mapped)", unmapped_address},
                                    {" (kernel)", kernel_address},
                                    {" (not canonical)", non_canonical_address},
                                    {" (last)", reinterpret_cast<u8*>(~u64{0})}};

void show_for(std::string_view what, std::string_view which, i64 answer) {
  static char label[100];
  std::size_t length = 0;
  for (const std::string_view part : {what, which}) {
    for (const char byte : part) label[length++] = byte;
  }
  show({label, length}, answer);
}

void pointers() {
  for (const auto& [name, bad] : bad_addresses) {
    begin_part("pointer");
    show_for("open", name, call(Call::open, bad, 0, 0));
    show_for("read zero", name, call(Call::read, zero, bad, 10));
    show_for("read a file", name, call(Call::read, file, bad, 10));
    show_for("pread", name, call(Call::pread64, file, bad, 10, 0));
    show_for("read a pipe", name, (call(Call::write, ends[1], "x", 1), call(Call::read, ends[0], bad, 10)));
    show_for("  the byte is still there", name, call(Call::read, ends[0], bytes, 10));
    show_for("write a file", name, call(Call::write, file, bad, 10));
    show_for("write a pipe", name, call(Call::write, ends[1], bad, 10));
    show_for("readv", name, call(Call::readv, zero, bad, 1));
    show_for("writev", name, call(Call::writev, ends[1], bad, 1));
    const Piece piece{bad, 10};
    show_for("writev of a piece", name, call(Call::writev, ends[1], &piece, 1));
    show_for("readv of a piece", name, call(Call::readv, zero, &piece, 1));
    show_for("stat", name, call(Call::stat, "/", bad));
    show_for("stat of", name, call(Call::stat, bad, bytes));
    show_for("fstat", name, call(Call::fstat, file, bad));
    show_for("pipe", name, call(Call::pipe2, bad, 0));
    show_for("getcwd", name, call(Call::getcwd, bad, 100));
    show_for("uname", name, call(Call::uname, bad));
    show_for("readlink into", name, call(Call::readlink, "/tmp/link", bad, 10));
    show_for("readlink of", name, call(Call::readlink, bad, bytes, 10));
    const i64 directory = call(Call::open, "/", 0, 0);
    show_for("getdents64", name, call(Call::getdents64, directory, bad, 1000));
    call(Call::close, directory);
    show_for("mkdir", name, call(Call::mkdir, bad, 0));
    show_for("unlink", name, call(Call::unlink, bad));
    show_for("rename to", name, call(Call::rename, "/tmp/link", bad));
    show_for("link", name, call(Call::link, bad, "/tmp/x"));
    show_for("symlink", name, call(Call::symlink, bad, "/tmp/x"));
    show_for("chdir", name, call(Call::chdir, bad));
    show_for("access", name, call(Call::access, bad, 0));
    show_for("getrandom", name, call(Call::getrandom, bad, 10, 0));
    show_for("sysinfo", name, call(Call::sysinfo, bad));
    show_for("gettimeofday", name, call(Call::gettimeofday, bad, nullptr));
    show_for("time", name, call(Call::time, bad) > 0 ? 1 : call(Call::time, bad));
    show_for("rt_sigaction", name, call(Call::rt_sigaction, signal::user1, bad, nullptr, 8));
    show_for("rt_sigaction into", name, call(Call::rt_sigaction, signal::user1, nullptr, bad, 8));
    show_for("rt_sigprocmask", name, call(Call::rt_sigprocmask, 0, bad, nullptr, 8));
    show_for("rt_sigpending", name, call(Call::rt_sigpending, bad, 8));
    show_for("rt_sigsuspend", name, call(Call::rt_sigsuspend, bad, 8) == -4 ? 0 : call(Call::rt_sigsuspend, bad, 8));
    show_for("sigaltstack", name, call(Call::sigaltstack, bad, nullptr));
    show_for("prlimit into", name, call(Call::prlimit64, 0, 3, nullptr, bad));
    show_for("getrlimit", name, call(Call::getrlimit, 3, bad));
    show_for("epoll_ctl", name, call(Call::epoll_ctl, ends[0], epoll::add, ends[0], bad));
    show_for("sendfile offset", name, call(Call::sendfile, ends[1], file, bad, 1));
  }
}

void sizes() {
  begin_part("size");
  const u64 huge = ~u64{0};
  show("read of all", call(Call::read, null, bytes, huge));
  show("write of all to null", call(Call::write, null, bytes, huge));
  show("write of half to null", call(Call::write, null, bytes, huge / 2));
  show("read -1 from a file", call(Call::read, file, bytes, huge));
  show("pread at the end of the world", call(Call::pread64, file, bytes, 10, huge / 2));
  show("pwrite at the end of the world", call(Call::pwrite64, file, bytes, 10, huge / 2));
  show("lseek to the end of the world", call(Call::lseek, file, huge / 2, 0));
  show("and one more", call(Call::lseek, file, 1, 1));
  call(Call::lseek, file, 0, 0);
  show("poll of 2^64 - 1", call(Call::poll, bytes, huge, 0));
  const Time at_once{0, 0};
  show("select of 2^31 - 1", call(Call::select, 0x7FFFFFFF, nullptr, nullptr, nullptr, &at_once));
  show("writev of 2^63 pieces", call(Call::writev, null, bytes, huge / 2 + 1));
  const Piece pieces[] = {{bytes, huge / 2}, {bytes, huge / 2}};
  show("writev of more than 2^63 bytes", call(Call::writev, null, pieces, 2));
  const Piece negative[] = {{bytes, 1}, {bytes, huge}};
  show("writev of a negative piece", call(Call::writev, null, negative, 2));
  show("getrandom of 0", call(Call::getrandom, bytes, 0, 0));
  show("getrandom with flags 64", call(Call::getrandom, bytes, 1, 64));
  show("munmap of all", call(Call::munmap, nullptr, huge));
  show("mmap of half", call(Call::mmap, nullptr, huge / 2, 3, 0x22, -1, 0));
  show("brk of all", call(Call::brk, huge) == call(Call::brk, 0));
  show("getcwd of size 0", call(Call::getcwd, bytes, 0));
  show("epoll_create of 2^31", call(Call::epoll_create, 0x80000000u));
  show("kill of the least number", call(Call::kill, i64{-2147483647} - 1, 0));
  show("prlimit of resource 99", call(Call::prlimit64, 0, 99, nullptr, bytes));
  show("fcntl of a closed one", call(Call::fcntl, 77, 1));
  show("ioctl of a closed one", call(Call::ioctl, 77, 1, 0));
  show("call 9999", call_words(9999, 0, 0, 0, 0, 0, 0));
  show("call -1", call_words(-1, 0, 0, 0, 0, 0, 0));
  show("call 2^40", call_words(i64{1} << 40, 0, 0, 0, 0, 0, 0));
  show("arch_prctl 99", call(Call::arch_prctl, 99, 0));
  show("arch_prctl, FS in the kernel", call(Call::arch_prctl, 0x1002, kernel_address));
}

// A piece of text that ends at the end of the mapped world: nothing behind it may be touched. (Not
// compared: Linux moves a part of a read or write that ends in a bad page, Pulse nothing; and how large a file may be.)
void borders() {
  begin_part("border");
  u8* const pages = fresh_pages(2);
  call(Call::munmap, pages + 4096, 4096);
  char* const end = reinterpret_cast<char*>(pages + 4096);
  const char path[] = "/tmp";
  for (int i = 0; i < 5; ++i) end[i - 5] = path[i];
  show("a path that just fits", call(Call::access, end - 5, 0));
  end[-1] = 'x';
  show("a path without an end", call(Call::access, end - 5, 0));
  show("write across, to a pipe", call(Call::write, ends[1], end - 10, 20));
  call(Call::fcntl, ends[0], control::set_flags, open_flag::non_blocking);
  show("  what came", call(Call::read, ends[0], bytes, 100));
  show("stat across", call(Call::stat, "/", end - 10));
  show("pipe across", call(Call::pipe2, end - 4, 0));
}

}  // namespace

int main_program(int, char**, char**) {
  call(Call::symlink, "target", "/tmp/link");
  file = call(Call::open, "/tmp/file", open_flag::create | open_flag::read_write | open_flag::truncate, 0644);
  call(Call::write, file, "some text", 9);
  call(Call::lseek, file, 0, 0);
  zero = call(Call::open, "/dev/zero", 0, 0);
  null = call(Call::open, "/dev/null", open_flag::read_write, 0);
  call(Call::pipe2, ends, open_flag::non_blocking);
  pointers();
  sizes();
  borders();
  call(Call::unlink, "/tmp/link");
  call(Call::unlink, "/tmp/file");
  return 0;
}
