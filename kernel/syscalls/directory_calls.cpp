// Where a process stands, and what is in a directory.
#include <cstring>
#include <memory>

#include "kernel/core/user_memory.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/syscalls/path_arguments.hpp"

namespace pulse {

namespace {

CallResult go_to(Call& call, const Result<Ref<Node>>& node) {
  if (!node) return fail(node.error());
  if (!(*node)->is(node_mode::directory)) return fail(Errno::NotDirectory);
  if (!is_allowed(**node, permission::execute)) return fail(Errno::AccessDenied);
  call.process().location->current = *node;
  return 0;
}
CallResult sys_chdir(Call& call) { return go_to(call, node_at(call, here, call.a, LastLink::Follow)); }
CallResult sys_fchdir(Call& call) { return go_to(call, directory_of(call, call.a)); }

CallResult sys_getcwd(Call& call) {
  const auto buffer = std::make_unique<char[]>(path_limit);
  const auto path = path_of(*call.process().location, call.process().location->current, {buffer.get(), path_limit});
  if (!path) return fail(path.error());
  if (call.b < path->size() + 1) return fail(Errno::OutOfRange);
  if (const auto copied = copy_to_user(call.a, path->data(), path->size()); !copied) return fail(copied.error());
  if (const auto ended = write_user(call.a + path->size(), char{0}); !ended) return fail(ended.error());
  return path->size() + 1;
}

/// struct linux_dirent64: number, next place, length, type, name.
CallResult sys_getdents64(Call& call) {
  constexpr std::size_t header = 19, alignment = 8, most = 280;
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!(*file)->node || !(*file)->node->is(node_mode::directory)) return fail(Errno::NotDirectory);
  Node& node = *(*file)->node;
  if (node.links == 0) return fail(Errno::NoEntry);  // it was removed
  u64 written = 0;
  const Mutex::Hold hold((*file)->position);
  for (;;) {
    // Places 0 and 1 are "." and "..".
    u64& place = (*file)->offset;
    Result<Node::Entry> entry = place == 0   ? Node::Entry{".", node.number, node_mode::directory}
                                : place == 1 ? Node::Entry{"..", node.number, node_mode::directory}
                                             : node.entry(place - 2);
    if (!entry) return entry.error() == Errno::NoEntry ? CallResult(written) : fail(entry.error());
    const std::size_t length = (header + entry->name.size() + 1 + alignment - 1) / alignment * alignment;
    if (length > most) return fail(Errno::NameTooLong);
    if (written + length > call.c) return written > 0 ? CallResult(written) : fail(Errno::Invalid);
    u8 record[most] = {};
    const u64 next = entry->next != 0 ? entry->next + 2 : place + 1;
    const auto short_length = static_cast<u16>(length);
    std::memcpy(record, &entry->number, 8);
    std::memcpy(record + 8, &next, 8);
    std::memcpy(record + 16, &short_length, 2);
    record[18] = static_cast<u8>(entry->mode >> 12 & 15);
    std::memcpy(record + header, entry->name.data(), entry->name.size());
    if (const auto copied = copy_to_user(call.b + written, record, length); !copied) return fail(copied.error());
    written += length;
    place = next;
  }
}

CallResult sys_umask(Call& call) {
  Location& location = *call.process().location;
  const u32 before = location.creation_mask;
  location.creation_mask = static_cast<u32>(call.a) & 0777;
  return before;
}

constexpr CallEntry entries[] = {
    {79, "getcwd", sys_getcwd},          {80, "chdir", sys_chdir}, {81, "fchdir", sys_fchdir}, {95, "umask", sys_umask},
    {217, "getdents64", sys_getdents64},
};

}  // namespace

std::span<const CallEntry> directory_calls() { return entries; }

}  // namespace pulse
