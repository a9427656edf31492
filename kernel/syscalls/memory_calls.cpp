#include "kernel/fs/devices.hpp"
#include "kernel/fs/tmpfs.hpp"
#include "kernel/memory/file_pages.hpp"
#include "kernel/memory/page_allocator.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

constexpr u32 all_protections = protection::read | protection::write | protection::execute;

CallResult sys_mmap(Call& call) {
  const auto flags = static_cast<u32>(call.d);
  if (call.f % page_bytes != 0) return fail(Errno::Invalid);
  bool is_shared = (flags & map_flag::shared) != 0;
  if (is_shared == ((flags & map_flag::is_private) != 0)) return fail(Errno::Invalid);
  bool is_anonymous = (flags & map_flag::anonymous) != 0;
  AddressSpace::Request request{.address = call.a,
                                .size = call.b,
                                .protection = static_cast<u32>(call.c),
                                .flags = flags,
                                .node_offset = is_anonymous ? 0 : call.f};
  if (!is_anonymous) {
    const auto file = call.process().files->get(call.e);
    if (!file) return fail(file.error());
    if (!(*file)->node) return fail(Errno::NoDevice);
    const bool may_write = !is_shared || (request.protection & protection::write) == 0 || (*file)->writable();
    if (!(*file)->readable() || !may_write) return fail(Errno::AccessDenied);
    request.node = (*file)->node;
    is_anonymous = request.node->is(node_mode::character) && request.node->device == zero_device;
    if (is_anonymous) request.node = {};
    if (!is_anonymous && !request.node->is(node_mode::regular)) return fail(Errno::NoDevice);
    if (!is_anonymous && is_shared && !request.node->has_pages()) {
      // Copies can't be shared; read only, nobody sees the difference.
      if ((request.protection & protection::write) != 0) return fail(Errno::NoDevice);
      is_shared = false;
      request.flags = (flags & ~map_flag::shared) | map_flag::is_private;
    }
  }
  if (is_anonymous && is_shared) {
    // Children see what others write: the pages belong to a file without a name.
    request.node = make_unnamed_file(kernel_file_pages());
    if (!request.node->resize(page_ceiling(call.b))) return fail(Errno::NoMemory);
  }
  return call.process().space->map(request);
}

CallResult sys_munmap(Call& call) { return done(call.process().space->unmap(call.a, call.b)); }
CallResult sys_mprotect(Call& call) {
  if (call.a % page_bytes != 0 || (call.c & ~u64{all_protections}) != 0) return fail(Errno::Invalid);
  return done(call.process().space->protect(call.a, call.b, static_cast<u32>(call.c)));
}
CallResult sys_brk(Call& call) { return call.process().space->set_break(call.a); }

CallResult sys_madvise(Call& call) {
  constexpr u64 not_needed = 4, most_advice = 25;
  if (call.a % page_bytes != 0 || call.c > most_advice) return fail(Errno::Invalid);
  return done(call.process().space->advise(call.a, call.b, call.c == not_needed));
}

constexpr CallEntry entries[] = {{9, "mmap", sys_mmap},
                                 {10, "mprotect", sys_mprotect},
                                 {11, "munmap", sys_munmap},
                                 {12, "brk", sys_brk},
                                 {28, "madvise", sys_madvise}};

}  // namespace

std::span<const CallEntry> memory_calls() { return entries; }

}  // namespace pulse
