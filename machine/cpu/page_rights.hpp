// Whom a page is for, asked without effects: for reports and rules.
#pragma once

#include "base/types.hpp"

namespace vitrine {

struct Cpu;

/// SDM vol. 3A §4.6: the user bit (U/S) of all levels together.
enum class PageOwner : u8 { NotMapped, Supervisor, User };

/// By the CPU's page tables as they are now. Supervisor if paging is off.
[[nodiscard]] PageOwner page_owner(const Cpu& cpu, u64 linear);

}  // namespace vitrine
