#include "tools/path_meter/elf_names.hpp"

#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace vitrine::paths {

namespace {

template <class T>
T at(const std::vector<u8>& file, u64 offset) {
  T value{};
  if (offset <= file.size() && file.size() - offset >= sizeof value)
    std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::string text_at(const std::vector<u8>& file, u64 offset) {
  std::string text;
  for (; offset < file.size() && file[offset] != 0; ++offset) text += static_cast<char>(file[offset]);
  return text;
}

std::string readable(const std::string& name) {
  const std::unique_ptr<char, decltype(&std::free)> found(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, nullptr),
                                                          &std::free);
  return found != nullptr ? found.get() : name;
}

}  // namespace

std::vector<NamedAddress> functions_of(const std::vector<u8>& elf) {
  std::vector<NamedAddress> names;
  const auto header = at<Elf64_Ehdr>(elf, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return names;
  const auto section = [&](u64 index) { return at<Elf64_Shdr>(elf, header.e_shoff + index * sizeof(Elf64_Shdr)); };
  for (u64 i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr table = section(i);
    if (table.sh_type != SHT_SYMTAB) continue;
    const Elf64_Shdr strings = section(table.sh_link);
    for (u64 offset = 0; offset < table.sh_size; offset += sizeof(Elf64_Sym)) {
      const auto symbol = at<Elf64_Sym>(elf, table.sh_offset + offset);
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) > STT_FUNC) continue;
      names.push_back({symbol.st_value, readable(text_at(elf, strings.sh_offset + symbol.st_name))});
    }
  }
  std::ranges::sort(names, {}, &NamedAddress::address);
  return names;
}

}  // namespace vitrine::paths
