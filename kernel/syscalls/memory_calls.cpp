#include "kernel/memory/page_allocator.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

CallResult sys_mmap(Call& call) {
  const auto flags = static_cast<u32>(call.d);
  const bool is_shared = (flags & map_flag::shared) != 0;
  if (is_shared == ((flags & map_flag::is_private) != 0)) return fail(Errno::Invalid);
  AddressSpace::Request request{.address = call.a,
                                .size = call.b,
                                .protection = static_cast<u32>(call.c),
                                .flags = flags,
                                .node_offset = (flags & map_flag::anonymous) != 0 ? 0 : call.f};
  if ((flags & map_flag::anonymous) == 0) {
    const auto file = call.process().files->get(call.e);
    if (!file) return fail(file.error());
    if (!(*file)->node) return fail(Errno::NoDevice);
    const bool may_write = !is_shared || (request.protection & protection::write) == 0 || (*file)->writable();
    if (!(*file)->readable() || !may_write) return fail(Errno::AccessDenied);
    request.node = (*file)->node;
  }
  return call.process().space->map(request);
}

CallResult sys_munmap(Call& call) { return done(call.process().space->unmap(call.a, call.b)); }
CallResult sys_mprotect(Call& call) {
  if (call.a % page_bytes != 0) return fail(Errno::Invalid);
  return done(call.process().space->protect(call.a, call.b, static_cast<u32>(call.c) & 7));
}
CallResult sys_brk(Call& call) { return call.process().space->set_break(call.a); }
CallResult sys_madvise(Call&) { return 0; }

constexpr CallEntry entries[] = {{9, "mmap", sys_mmap},
                                 {10, "mprotect", sys_mprotect},
                                 {11, "munmap", sys_munmap},
                                 {12, "brk", sys_brk},
                                 {28, "madvise", sys_madvise}};

}  // namespace

std::span<const CallEntry> memory_calls() { return entries; }

}  // namespace pulse
