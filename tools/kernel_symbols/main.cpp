// kernel-symbols KERNEL.ELF OUTPUT.S: the kernel's own table of its functions, for the back traces of its panics
// (kernel/core/symbols.cpp). Made from a first link, linked into the second; it stands behind the code, so that no
// function moves.
#include <cxxabi.h>
#include <elf.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace {

int complain(const std::string& what) {
  std::fprintf(stderr, "kernel-symbols: %s\n", what.c_str());
  return EXIT_FAILURE;
}

template <class T>
std::vector<T> table(const std::string& image, std::uint64_t offset, std::uint64_t bytes) {
  if (offset > image.size() || bytes > image.size() - offset) return {};
  std::vector<T> entries(bytes / sizeof(T));
  std::memcpy(entries.data(), image.data() + offset, entries.size() * sizeof(T));
  return entries;
}

/// A lambda's number says nothing to a reader: the file that it stands in does. "pulse::$_4::__invoke" is
/// "pulse::lambda in tick.cpp".
std::string with_named_lambda(std::string name, const std::string& file) {
  const std::size_t begin = name.find("$_");
  if (begin == std::string::npos) return name;
  return name.substr(0, begin) + "lambda in " + file;
}

/// "void pulse::log_info<int>(int)", without types: a line of a panic is short.
std::string readable(const char* name) {
  int status = 0;
  char* const demangled = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string text = status == 0 ? demangled : name;
  std::free(demangled);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    constexpr std::string_view anonymous = "(anonymous namespace)::";
    if (text.compare(i, anonymous.size(), anonymous) == 0) {
      i += anonymous.size() - 1;
    } else if (text[i] == '(' || text[i] == '<') {
      break;
    } else if (text[i] == ' ') {
      result.clear();  // that was a template's return type
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return complain("usage: kernel-symbols KERNEL.ELF OUTPUT.S");
  std::ifstream input(words[1], std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(input), {}};
  const auto headers = table<Elf64_Ehdr>(image, 0, sizeof(Elf64_Ehdr));
  if (!input || headers.empty() || std::memcmp(headers[0].e_ident, ELFMAG, SELFMAG) != 0) {
    return complain(std::string("can't read ") + words[1]);
  }
  const auto sections =
      table<Elf64_Shdr>(image, headers[0].e_shoff, std::uint64_t{headers[0].e_shnum} * sizeof(Elf64_Shdr));
  std::map<std::uint64_t, std::string> functions;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const std::uint64_t names = sections[section.sh_link].sh_offset;
    std::string file;
    for (const Elf64_Sym& symbol : table<Elf64_Sym>(image, section.sh_offset, section.sh_size)) {
      const bool in_code =
          symbol.st_shndx < sections.size() && (sections[symbol.st_shndx].sh_flags & SHF_EXECINSTR) != 0;
      const unsigned type = ELF64_ST_TYPE(symbol.st_info);
      // The local symbols of a file follow its name (System V gABI, "symbol table").
      if (type == STT_FILE && names + symbol.st_name < image.size()) file = image.data() + names + symbol.st_name;
      if (!in_code || (type != STT_FUNC && type != STT_NOTYPE) || names + symbol.st_name >= image.size()) continue;
      const char* const name = image.data() + names + symbol.st_name;
      if (*name != 0 && *name != '.') {
        functions.emplace(symbol.st_value, with_named_lambda(readable(name), file));
      }
    }
  }
  std::ofstream output(words[2], std::ios::binary);
  output << "// Made by kernel-symbols.\n.section .rodata, \"a\"\n.balign 8\n.globl kernel_symbol_count\n"
         << "kernel_symbol_count: .long " << functions.size() << "\n.balign 8\n.globl kernel_symbol_addresses\n"
         << "kernel_symbol_addresses:\n";
  for (const auto& [address, name] : functions) output << "  .quad " << address << "\n";
  output << ".globl kernel_symbol_names\nkernel_symbol_names:\n";
  for (std::size_t i = 0; i < functions.size(); ++i) output << "  .quad name" << i << "\n";
  std::size_t number = 0;
  for (const auto& [address, name] : functions) output << "name" << number++ << ": .asciz \"" << name << "\"\n";
  output.close();
  return output ? EXIT_SUCCESS : complain(std::string("can't write ") + words[2]);
}
