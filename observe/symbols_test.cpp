#include "observe/symbols.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "observe/fault_chain.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;

std::vector<u8> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

constexpr std::string_view system_map =
    "ffffffff81000000 T startup_64\n"
    "ffffffff81000000 t local_name\n"
    "ffffffff81000100 T secondary_startup\n"
    "0000000000000000 A zero\n"
    "ffffffff81000200 T _ZN7vitrine3runEv\n"
    "ffffffffc0000000 t driver_entry\t[driver]\n";

TEST(SymbolTable, reads_system_map_and_kallsyms) {
  SymbolTable table;
  ASSERT_TRUE(table.add(bytes_of(system_map), 0).has_value());
  EXPECT_EQ(table.describe(0xffffffff81000000), "startup_64");
  EXPECT_EQ(table.describe(0xffffffff81000010), "startup_64+0x10");
  EXPECT_EQ(table.describe(0xffffffff81000204), "vitrine::run()+0x4");
  EXPECT_EQ(table.describe(0xffffffffc0000008), "driver_entry+0x8");
  EXPECT_EQ(table.describe(0x1000), "");
  EXPECT_EQ(table.describe(0xffffffffffffff00), "");
}

TEST(SymbolTable, shows_names_as_their_authors_wrote_them) {
  const std::pair<std::string_view, std::string_view> names[] = {
      {"_ZN7vitrine3runEv", "vitrine::run()"},
      {"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"},
      {"_ZN48_$LT$pulse..Uart$u20$as$u20$core..fmt..Write$GT$9write_str17h00112233445566aaE",
       "<pulse::Uart as core::fmt::Write>::write_str"},
      {"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
      {"_RNvMNtCs1234_5pulse4uartNtB2_4Uart4poll", "<pulse::uart::Uart>::poll"},
      {"_Znonsense", "_Znonsense"},
      {"_Rx", "_Rx"},
      {"plain_name", "plain_name"},
  };
  for (const auto& [mangled, wanted] : names) {
    SymbolTable table;
    ASSERT_TRUE(table.add(bytes_of("0000000000001000 T " + std::string(mangled) + "\n"), 0).has_value());
    EXPECT_EQ(table.describe(0x1000), wanted);
  }
}

TEST(SymbolTable, names_of_any_length_do_no_harm) {
  SymbolTable table;
  const std::string deep = "_Z1f" + std::string(200'000, 'P') + "i";
  const std::string rust = "_RNv" + std::string(200'000, 'B');
  ASSERT_TRUE(table.add(bytes_of("1000 T " + deep + "\n2000 T " + rust + "\n"), 0).has_value());
  EXPECT_EQ(table.describe(0x1000), deep);
  EXPECT_EQ(table.describe(0x2000), rust);
}

TEST(SymbolTable, several_files_add_up) {
  SymbolTable table;
  ASSERT_TRUE(table.add(bytes_of("1000 T first\n"), 0).has_value());
  EXPECT_EQ(table.describe(0x9000), "first+0x8000");
  ASSERT_TRUE(table.add(bytes_of("1000 T second\n"), 0x8000).has_value());
  EXPECT_EQ(table.describe(0x9000), "second") << "what was said before a file came does not stick";
  EXPECT_EQ(table.describe(0x1000), "first");
}

TEST(SymbolTable, moves_symbols_by_the_offset) {
  SymbolTable table;
  ASSERT_TRUE(table.add(bytes_of(system_map), 0x1000000).has_value());
  EXPECT_EQ(table.describe(0xffffffff82000010), "startup_64+0x10");
}

/// A minimal ELF64 file: header, .symtab, .strtab, .shstrtab.
std::vector<u8> elf_with_symbol(std::string_view name, u64 address, u64 size) {
  std::string strings("\0", 1);
  strings += name;
  strings += '\0';
  const std::string section_names("\0.symtab\0.strtab\0.shstrtab\0", 27);
  const u64 symtab_at = sizeof(Elf64_Ehdr);
  const u64 strtab_at = symtab_at + 2 * sizeof(Elf64_Sym);
  const u64 names_at = strtab_at + strings.size();
  const u64 sections_at = (names_at + section_names.size() + 7) & ~u64{7};
  std::vector<u8> file(sections_at + 4 * sizeof(Elf64_Shdr));
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shoff = sections_at;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  header.e_shstrndx = 3;
  std::memcpy(file.data(), &header, sizeof header);
  Elf64_Sym symbol{};
  symbol.st_name = 1;
  symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  symbol.st_shndx = 1;
  symbol.st_value = address;
  symbol.st_size = size;
  std::memcpy(file.data() + symtab_at + sizeof symbol, &symbol, sizeof symbol);
  std::memcpy(file.data() + strtab_at, strings.data(), strings.size());
  std::memcpy(file.data() + names_at, section_names.data(), section_names.size());
  Elf64_Shdr sections[4]{};
  sections[1] = {.sh_name = 1,
                 .sh_type = SHT_SYMTAB,
                 .sh_offset = symtab_at,
                 .sh_size = 2 * sizeof(Elf64_Sym),
                 .sh_link = 2,
                 .sh_info = 1,
                 .sh_addralign = 8,
                 .sh_entsize = sizeof(Elf64_Sym)};
  sections[2] = {
      .sh_name = 9, .sh_type = SHT_STRTAB, .sh_offset = strtab_at, .sh_size = strings.size(), .sh_addralign = 1};
  sections[3] = {
      .sh_name = 17, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = section_names.size(), .sh_addralign = 1};
  std::memcpy(file.data() + sections_at, sections, sizeof sections);
  return file;
}

TEST(SymbolTable, reads_the_symbol_table_of_an_elf_file) {
  SymbolTable table;
  ASSERT_TRUE(table.add(elf_with_symbol("kernel_main", 0x100000, 0x40), 0).has_value());
  EXPECT_EQ(table.describe(0x10003F), "kernel_main+0x3f");
  EXPECT_EQ(table.describe(0x100040), "") << "past the end of a function whose size is known";
}

TEST(SymbolTable, damaged_elf_files_do_no_harm) {
  const auto good = elf_with_symbol("kernel_main", 0x100000, 0x40);
  for (std::size_t size = 0; size <= good.size(); ++size) {
    SymbolTable table;
    (void)table.add({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, 0);
    (void)table.describe(0x100000);
  }
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    auto damaged = good;
    for (int k = 0; k < 4; ++k) damaged[4 + random() % (damaged.size() - 4)] = static_cast<u8>(random());
    SymbolTable table;
    (void)table.add(std::move(damaged), 0);
    (void)table.describe(0x100000);
  }
}

TEST(SymbolTable, says_what_is_wrong_with_a_file) {
  SymbolTable table;
  EXPECT_EQ(table.add(bytes_of("hello world\n"), 0).error(), SymbolError::Unrecognised);
  EXPECT_EQ(table.add({}, 0).error(), SymbolError::NoSymbols);
  EXPECT_EQ(table.add(bytes_of("\177ELF"), 0).error(), SymbolError::BadElf);
  EXPECT_EQ(table.add(bytes_of("0000000000000000 T hidden\n"), 0).error(), SymbolError::NoSymbols);
}

TEST(FaultChain, keeps_the_last_steps) {
  FaultChain chain;
  for (u8 i = 0; i < 10; ++i) chain.add({.vector = i});
  EXPECT_EQ(chain.count, 8);
  EXPECT_EQ(chain.steps[0].vector, 2);
  EXPECT_EQ(chain.steps[7].vector, 9);
}

TEST(FaultChain, explains_each_step_with_the_check_that_failed) {
  FaultChain chain;
  chain.add({.vector = 14,
             .has_error_code = true,
             .check = FailedCheck::PageNotPresent,
             .error_code = 2,
             .cs = 8,
             .ss = 16,
             .linear_address = 0xdead000,
             .rip = 0x100000,
             .rsp = 0x9000,
             .cr2 = 0xdead000});
  chain.add({.vector = 11,
             .has_error_code = true,
             .check = FailedCheck::GateNotPresent,
             .error_code = 14 * 8 + 2,
             .cs = 8,
             .ss = 16,
             .delivering_vector = 14,
             .during_delivery = true,
             .rip = 0x100000,
             .rsp = 0x9000});
  RegisterDump registers;
  registers.mode = RegisterDump::Mode::Protected32;
  registers.rip = registers.linear_rip = 0x100000;
  registers.code = {0xC7, 0x05, 0x00, 0xD0, 0xEA, 0x0D, 0x01, 0x00, 0x00, 0x00, 0xF4};
  SymbolTable symbols;
  ASSERT_TRUE(symbols.add(bytes_of("0000000000100000 T start\n"), 0).has_value());
  const std::string text = explain_triple_fault(chain, registers, &symbols);
  EXPECT_THAT(text, HasSubstr("#PF (page fault), error code 0x0002 (write of a not-present page by kernel code)"));
  EXPECT_THAT(text, HasSubstr("at 0008:0x100000 start"));
  EXPECT_THAT(text, HasSubstr("delivering #PF (page fault) failed: #NP (segment not present)"));
  EXPECT_THAT(text, HasSubstr("the gate is not present"));
  EXPECT_THAT(text, HasSubstr("mov dword ptr"));
  EXPECT_THAT(text, HasSubstr("hlt"));
}

}  // namespace
}  // namespace vitrine
