// Users and groups: who a process runs for (credentials(7)).
#include <algorithm>
#include <optional>

#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

using Ids = Credentials::Ids;

constexpr u32 unchanged = ~u32{0};

u64 quick_getuid(const Thread& thread) { return thread.process->credentials.user.real; }
u64 quick_getgid(const Thread& thread) { return thread.process->credentials.group.real; }
u64 quick_geteuid(const Thread& thread) { return thread.process->credentials.user.effective; }
u64 quick_getegid(const Thread& thread) { return thread.process->credentials.group.effective; }

/// setuid(2): root gives up all three for good, others choose among those that they have.
CallResult set_id(Ids& ids, bool is_root, u64 wanted) {
  const auto id = static_cast<u32>(wanted);
  if (id == unchanged) return fail(Errno::Invalid);
  if (is_root) {
    ids = {id, id, id};
  } else if (id == ids.real || id == ids.saved) {
    ids.effective = id;
  } else {
    return fail(Errno::PermissionDenied);
  }
  return 0;
}
CallResult sys_setuid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_id(who.user, who.is_root(), call.a);
}
CallResult sys_setgid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_id(who.group, who.is_root(), call.a);
}

/// setreuid(2): the saved one follows the effective one if the real one was set, or the new one differs from it.
CallResult set_two(Ids& ids, bool is_root, u64 first, u64 second) {
  const auto real = static_cast<u32>(first);
  const auto effective = static_cast<u32>(second);
  const bool may_real = real == unchanged || is_root || real == ids.real || real == ids.effective;
  const bool may_effective = effective == unchanged || is_root || ids.has(effective);
  if (!may_real || !may_effective) return fail(Errno::PermissionDenied);
  const u32 before = ids.real;
  if (real != unchanged) ids.real = real;
  if (effective != unchanged) ids.effective = effective;
  if (real != unchanged || (effective != unchanged && effective != before)) ids.saved = ids.effective;
  return 0;
}
CallResult sys_setreuid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_two(who.user, who.is_root(), call.a, call.b);
}
CallResult sys_setregid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_two(who.group, who.is_root(), call.a, call.b);
}

CallResult set_three(Ids& ids, bool is_root, const Call& call) {
  const u32 wanted[] = {static_cast<u32>(call.a), static_cast<u32>(call.b), static_cast<u32>(call.c)};
  for (const u32 id : wanted) {
    if (id != unchanged && !is_root && !ids.has(id)) return fail(Errno::PermissionDenied);
  }
  if (wanted[0] != unchanged) ids.real = wanted[0];
  if (wanted[1] != unchanged) ids.effective = wanted[1];
  if (wanted[2] != unchanged) ids.saved = wanted[2];
  return 0;
}
CallResult sys_setresuid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_three(who.user, who.is_root(), call);
}
CallResult sys_setresgid(Call& call) {
  Credentials& who = call.process().credentials;
  return set_three(who.group, who.is_root(), call);
}

CallResult tell_three(const Ids& ids, const Call& call) {
  for (const auto& [address, id] : {std::pair{call.a, ids.real}, {call.b, ids.effective}, {call.c, ids.saved}}) {
    if (const auto told = write_user(address, id); !told) return fail(told.error());
  }
  return 0;
}
CallResult sys_getresuid(Call& call) { return tell_three(call.process().credentials.user, call); }
CallResult sys_getresgid(Call& call) { return tell_three(call.process().credentials.group, call); }

CallResult sys_getgroups(Call& call) {
  const std::vector<u32>& groups = call.process().credentials.groups;
  const auto room = static_cast<i32>(call.a);
  if (room < 0) return fail(Errno::Invalid);
  if (room == 0) return groups.size();
  if (static_cast<std::size_t>(room) < groups.size()) return fail(Errno::Invalid);
  if (const auto told = copy_to_user(call.b, groups.data(), groups.size() * sizeof(u32)); !told)
    return fail(told.error());
  return groups.size();
}

CallResult sys_setgroups(Call& call) {
  Credentials& who = call.process().credentials;
  if (!who.is_root()) return fail(Errno::PermissionDenied);
  if (static_cast<u32>(call.a) > Credentials::most_groups) return fail(Errno::Invalid);
  std::vector<u32> groups(static_cast<u32>(call.a));
  if (const auto read = copy_from_user(groups.data(), call.b, groups.size() * sizeof(u32)); !read)
    return fail(read.error());
  who.groups = std::move(groups);
  return 0;
}

/// File system ids follow the effective ones, and nothing else sets them.
CallResult sys_setfsuid(Call& call) { return call.process().credentials.user.effective; }
CallResult sys_setfsgid(Call& call) { return call.process().credentials.group.effective; }

constexpr CallEntry entries[] = {
    {102, "getuid", nullptr, quick_getuid},
    {104, "getgid", nullptr, quick_getgid},
    {105, "setuid", sys_setuid},
    {106, "setgid", sys_setgid},
    {107, "geteuid", nullptr, quick_geteuid},
    {108, "getegid", nullptr, quick_getegid},
    {113, "setreuid", sys_setreuid},
    {114, "setregid", sys_setregid},
    {115, "getgroups", sys_getgroups},
    {116, "setgroups", sys_setgroups},
    {117, "setresuid", sys_setresuid},
    {118, "getresuid", sys_getresuid},
    {119, "setresgid", sys_setresgid},
    {120, "getresgid", sys_getresgid},
    {122, "setfsuid", sys_setfsuid},
    {123, "setfsgid", sys_setfsgid},
};

}  // namespace

std::span<const CallEntry> identity_calls() { return entries; }

}  // namespace pulse
