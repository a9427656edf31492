// The symbol table that a Linux kernel carries (CONFIG_KALLSYMS), read from its memory: names without any file.
//
// The tables are those that the kernel's scripts/kallsyms.c writes, of Linux 4.x to 6.x, x86-64 and i386. They are
// found by their shape alone. What the kernel has relocated (KASLR) is relocated in them. Modules are not in them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "observe/linux/guest_view.hpp"

namespace vitrine {

class KernelSymbols {
 public:
  struct Symbol {
    u64 address = 0;
    char type = '?';  ///< as nm prints it
    std::string name;
  };

  /// Looks for the tables within `range`, which may hold anything. Nothing: there are none, or they make no sense.
  [[nodiscard]] static std::optional<KernelSymbols> find(const GuestView& memory, const KernelRange& range);

  /// By address; symbols outside of the kernel's range (per-CPU offsets) are left out.
  [[nodiscard]] const std::vector<Symbol>& all() const { return symbols_; }
  /// The address of the first symbol of this name; 0: there is none.
  [[nodiscard]] u64 address_of(std::string_view name) const;

  /// As System.map has it: "ffffffff81000000 T _text\n" ...
  [[nodiscard]] std::string map_text() const;
  /// The same, but only what names one of the addresses, which ascend.
  [[nodiscard]] std::string map_text_of(const std::vector<u64>& addresses) const;

 private:
  std::vector<Symbol> symbols_;
};

}  // namespace vitrine
