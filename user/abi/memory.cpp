// mmap, mprotect, munmap, brk; copies on write; shared memory.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr u64 page = 4096;
u8* shared;
volatile int own_value = 1;

i64 map_at(void* address, u64 size, int protection, int flags, i64 file = -1, u64 offset = 0) {
  return call(Call::mmap, address, size, protection, flags, file, offset);
}

/// The signal that ends a child which does this.
template <int (*body)()>
i64 signal_of() {
  return in_child(body) & 0x7F;
}

void requests() {
  begin_part("mmap");
  show("size 0", map_at(nullptr, 0, map::read, map::is_private | map::anonymous));
  show("neither shared nor private", map_at(nullptr, page, map::read, map::anonymous));
  show("a size that wraps", map_at(nullptr, ~u64{0}, map::read, map::is_private | map::anonymous));
  show("more than there is address space", map_at(nullptr, u64{1} << 47, map::read, map::is_private | map::anonymous));
  show("no such file", map_at(nullptr, page, map::read, map::is_private, 99));
  show("offset within a page", map_at(nullptr, page, map::read, map::is_private, 1, 100));
  show("fixed, within a page",
       map_at(reinterpret_cast<void*>(0x10000001), page, map::read, map::is_private | map::anonymous | map::fixed));
  show("fixed, in the kernel's half",
       map_at(kernel_address, page, map::read, map::is_private | map::anonymous | map::fixed));
  int ends[2];
  call(Call::pipe2, ends, 0);
  show("a pipe", map_at(nullptr, page, map::read, map::is_private, ends[0]));
  const i64 writer = call(Call::open, "/tmp/m", open_flag::create | open_flag::write_only, 0644);
  show("a file that is open for writing only", map_at(nullptr, page, map::read, map::shared, writer));
  const i64 reader = call(Call::open, "/tmp/m", 0, 0);
  show("shared writing of a reader", map_at(nullptr, page, map::read | map::write, map::shared, reader));
  for (i64 file : {i64{ends[0]}, i64{ends[1]}, writer, reader}) call(Call::close, file);
  u8* const two = fresh_pages(2);
  two[0] = 1;
  show("fixed over a mapping",
       map_at(two, page, map::read, map::is_private | map::anonymous | map::fixed) == word(two));
  show("reads as zero", two[0]);
  show("not over one, if asked",
       map_at(two, page, map::read, map::is_private | map::anonymous | map::fixed_no_replace));
  show("munmap, within a page", call(Call::munmap, two + 1, page));
  show("munmap, size 0", call(Call::munmap, two, 0));
  show("munmap", call(Call::munmap, two, 2 * page));
  show("munmap, again", call(Call::munmap, two, 2 * page));
  show("munmap in the kernel's half", call(Call::munmap, kernel_address, page));
  show("mprotect of nothing", call(Call::mprotect, two, page, map::read));
  show("mprotect, within a page", call(Call::mprotect, two + 1, page, map::read));
  show("mprotect, size 0", call(Call::mprotect, two, 0, map::read));
  show("mprotect, protection 64", call(Call::mprotect, two, page, 64));
  show("madvise of nothing", call(Call::madvise, two, page, 4));
  show("a huge reservation", map_at(nullptr, u64{1} << 36, 0, map::is_private | map::anonymous | 0x4000) > 0);
}

void protections() {
  begin_part("protection");
  shared = fresh_pages(3);
  shared[page] = 7;
  show("mprotect to read", call(Call::mprotect, shared + page, page, map::read));
  show("it reads", shared[page]);
  show("a write", signal_of<[] {
         shared[page] = 1;
         return 0;
       }>());
  show("its neighbours can be written", signal_of<[] {
         shared[0] = shared[2 * page] = 1;
         return 0;
       }>());
  call(Call::mprotect, shared + page, page, 0);
  show("no access", signal_of<[] { return static_cast<int>(shared[page]); }>());
  show("the kernel gets none either", call(Call::write, 1, shared + page, 1));
  call(Call::mprotect, shared + page, page, map::read | map::write);
  show("it is still there", shared[page]);
  shared[0] = 0xC3;
  show("data is not code", signal_of<[] {
         reinterpret_cast<void (*)()>(shared)();
         return 0;
       }>());
  call(Call::mprotect, shared, page, map::read | map::execute);
  show("unless it may be", signal_of<[] {
         reinterpret_cast<void (*)()>(shared)();
         return 0;
       }>());
  show("program text can't be written", signal_of<[] {
         *reinterpret_cast<volatile u8*>(reinterpret_cast<u64>(&main_program)) = 1;
         return 0;
       }>());
  call(Call::munmap, shared, page);
  show("unmapped", signal_of<[] { return static_cast<int>(shared[0]); }>());
}

void copies_on_write() {
  begin_part("copy on write");
  show("a child's write stays its own", in_child([] {
         own_value = 2;
         return int{own_value};
       }));
  show("ours", own_value);
  u8* const pages = fresh_pages(64);
  for (u64 i = 0; i < 64; ++i) pages[i * page] = static_cast<u8>(i);
  shared = pages;
  const i64 child = start_child([] {
    int wrong = 0;
    for (u64 i = 0; i < 64; ++i) {
      if (shared[i * page] != i) ++wrong;
      shared[i * page] = 0xEE;
    }
    const i32 grandchild = in_child([] {
      int bad = 0;
      for (u64 i = 0; i < 64; ++i) bad += shared[i * page] != 0xEE;
      shared[0] = 1;
      return bad;
    });
    return wrong + grandchild + (shared[0] != 0xEE);
  });
  show("three generations", wait_for(child));
  int wrong = 0;
  for (u64 i = 0; i < 64; ++i) wrong += pages[i * page] != i;
  show("pages that changed here", wrong);
  show("the kernel's writes copy too", in_child([] {
                                         int ends[2];
                                         call(Call::pipe2, ends, 0);
                                         call(Call::write, ends[1], "x", 1);
                                         call(Call::read, ends[0], shared, 1);
                                         return int{shared[0]};
                                       }) >>
                                           8);
  show("ours", pages[0]);
}

void shared_memory() {
  begin_part("shared memory");
  shared = fresh_pages(1, map::read | map::write, map::shared | map::anonymous);
  in_child([] {
    shared[5] = 55;
    return 0;
  });
  show("anonymous", shared[5]);
  const i64 file = call(Call::open, "/tmp/m", open_flag::read_write | open_flag::truncate, 0);
  call(Call::ftruncate, file, page);
  shared = reinterpret_cast<u8*>(map_at(nullptr, page, map::read | map::write, map::shared, file));
  shared[0] = 'A';
  char byte = 0;
  call(Call::pread64, file, &byte, 1, 0);
  show("of a file", byte);
  call(Call::pwrite64, file, "B", 1, 1);
  show("the file's writes show", shared[1]);
  u8* const copy = reinterpret_cast<u8*>(map_at(nullptr, page, map::read | map::write, map::is_private, file));
  show("private sees it", copy[0]);
  copy[0] = 'Z';
  call(Call::pread64, file, &byte, 1, 0);
  show("and keeps its own", byte);
  shared = reinterpret_cast<u8*>(map_at(nullptr, 3 * page, map::read, map::shared, file));
  show("behind the end of the file", signal_of<[] { return static_cast<int>(shared[page]); }>());
  call(Call::ftruncate, file, 0);
  show("cut off", signal_of<[] { return static_cast<int>(shared[0]); }>());
  call(Call::close, file);
  call(Call::unlink, "/tmp/m");
}

void devices() {
  begin_part("device");
  const i64 zero = call(Call::open, "/dev/zero", open_flag::read_write, 0);
  auto* const own =
      reinterpret_cast<volatile u8*>(map_at(nullptr, page, map::read | map::write, map::is_private, zero));
  show("/dev/zero", own[7]);
  own[7] = 5;
  show("written", own[7]);
  shared = reinterpret_cast<u8*>(map_at(nullptr, page, map::read | map::write, map::shared, zero));
  in_child([] {
    shared[9] = 99;
    return 0;
  });
  show("shared", shared[9]);
  call(Call::close, zero);
  const i64 null = call(Call::open, "/dev/null", open_flag::read_write, 0);
  show("/dev/null", map_at(nullptr, page, map::read, map::is_private, null));
  const i64 directory = call(Call::open, "/tmp", 0, 0);
  show("a directory", map_at(nullptr, page, map::read, map::is_private, directory));
  for (const i64 file : {null, directory}) call(Call::close, file);
}

void breaks() {
  begin_part("brk");
  const i64 begin = call(Call::brk, 0);
  show("grow", call(Call::brk, begin + 100000) - begin);
  auto* const bytes = reinterpret_cast<volatile u8*>(begin);
  bytes[99999] = 3;
  show("written", bytes[99999]);
  show("below its begin", call(Call::brk, 4096) - begin);
  show("absurd", call(Call::brk, kernel_address) - begin);
  show("shrink", call(Call::brk, begin + 5000) - begin);
  show("grow again", call(Call::brk, begin + 100000) - begin);
  show("zeroes", bytes[99999]);
}

}  // namespace

int main_program(int, char**, char**) {
  requests();
  protections();
  copies_on_write();
  shared_memory();
  devices();
  breaks();
  return 0;
}
