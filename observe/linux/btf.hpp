// The BPF type format that a Linux kernel carries (CONFIG_DEBUG_INFO_BTF): where the members of its structures are.
//
// Manual: Linux, Documentation/bpf/btf.rst, "BTF Type and String Encoding".
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/types.hpp"

namespace vitrine {

/// Where a member of a structure lies, in bytes from its begin. Members of unnamed structures inside count as its own.
/// Nothing: `btf`, which may hold anything, has no such structure or member.
[[nodiscard]] std::optional<u32> btf_member_offset(std::span<const u8> btf, std::string_view structure,
                                                   std::string_view member);

}  // namespace vitrine
