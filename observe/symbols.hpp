// Names for guest addresses, from ELF files (symbol table, and DWARF line numbers when there are any), from System.map,
// and from text like /proc/kallsyms. Recognised by content. C++ and Rust names are shown as their authors wrote them.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/types.hpp"
#include "observe/symboliser.hpp"

namespace vitrine {

enum class SymbolError : u8 {
  Unrecognised,  ///< neither ELF nor lines of "address type name"
  BadElf,        ///< an ELF file whose tables can't be read
  NoSymbols,     ///< nothing in it has a name and an address
};
[[nodiscard]] std::string_view describe(SymbolError error);

class SymbolTable final : public Symboliser {
 public:
  SymbolTable();
  ~SymbolTable() override;
  SymbolTable(SymbolTable&&) noexcept;
  SymbolTable& operator=(SymbolTable&&) noexcept;

  /// Adds the symbols of a file's contents. `offset` is added to every address in it (a kernel that moved itself);
  /// modulo 2^64, so a negative offset is its two's complement.
  [[nodiscard]] std::expected<void, SymbolError> add(std::vector<u8> contents, u64 offset);
  [[nodiscard]] bool empty() const { return symbols_.empty(); }

  [[nodiscard]] std::string describe(u64 address) const override;
  [[nodiscard]] std::optional<SourcePlace> place(u64 address) const override;

 private:
  struct Symbol {
    u64 address = 0;
    u64 size = 0;      ///< 0: not known, reaches to the next symbol
    u8 rank = 0;       ///< which of several names at one address is shown: the lowest
    std::string name;  ///< as it stands in the file
  };
  class ElfImage;

  std::expected<void, SymbolError> add_text(const std::vector<u8>& contents, u64 offset);
  std::expected<void, SymbolError> add_elf(std::vector<u8> contents, u64 offset);
  void sort();
  [[nodiscard]] std::string describe_anew(u64 address) const;

  std::vector<Symbol> symbols_;  // by address; one per address
  std::vector<std::unique_ptr<ElfImage>> images_;
  static constexpr std::size_t most_described = 65'536;
  mutable std::unordered_map<u64, std::string>
      described_;  // by address: a trace asks for the same ones again and again
};

}  // namespace vitrine
