// The command's contract: what is no command line, no file and no guest gets a status and one clear line.
#include <elf.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/system/command_bench.hpp"

namespace vitrine::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

TEST_F(Command, help_and_version_are_no_errors) {
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_THAT(run({"run", "--help"}).out, AllOf(HasSubstr("--until"), HasSubstr("Examples"), HasSubstr("Status")));
  EXPECT_THAT(run({"--version"}).out, HasSubstr("vitrine "));
}

TEST_F(Command, show_board_prints_the_wiring_of_each_board_and_of_pc_unasked) {
  const Result pc = run({"show", "--board"});
  EXPECT_EQ(pc.status, 0);
  EXPECT_THAT(pc.out, AllOf(HasSubstr("Board pc:"), HasSubstr("Timer"), HasSubstr("PIRQ D")));
  EXPECT_EQ(run({"show", "--board", "pc"}).out, pc.out);
  EXPECT_THAT(run({"show", "--board", "isa"}).out, testing::Not(HasSubstr("PIRQ")));
  const auto q35 = nlohmann::json::parse(run({"show", "--board", "q35", "--json"}).out);
  EXPECT_EQ(q35["lines"][0]["io_apic_pin"], 2);
  EXPECT_EQ(q35["lines"].back()["line"], "PIRQ H");
  EXPECT_EQ(q35["controllers"]["io_apic"]["version"], 0x20);
  EXPECT_TRUE(q35["controllers"]["imcr"].is_null());
  const auto pc_json = nlohmann::json::parse(run({"show", "--board", "pc", "--json"}).out);
  EXPECT_EQ(pc_json["lines"].back()["io_apic_pin"], 23);
  EXPECT_EQ(pc_json["lines"].back()["polarity"], "low");
  EXPECT_EQ(pc_json["controllers"]["imcr"]["ports"][0], 0x22);
  EXPECT_EQ(pc_json["controllers"]["hpet"]["first_io_apic_pin"], 20);
}

TEST_F(Command, wrong_command_lines_are_status_64) {
  const std::string kernel = file("kernel", multiboot(halt_forever));
  const std::string disk = file("disk", std::string(512, ' '));
  const std::vector<std::vector<std::string>> wrong = {
      {"nonsense"},
      {"show", "--board", "mca"},
      {"show", "--board=isa", "a.trace"},
      {"run", kernel, "--nonsense"},
      {"run", kernel, "--memory", "0"},
      {"run", kernel, "--memory", "1K"},
      {"run", kernel, "--memory", "10T"},
      {"run", kernel, "--memory", "lots"},
      {"run", kernel, "--cpus", "65"},
      {"run", kernel, "--cpus", "0"},
      {"run", kernel, "--cpus", "-1"},
      {"run", kernel, "--cpus", "several"},
      {"run", kernel, "--slice", "0"},
      {"run", kernel, "--schedule-seed", "-3"},
      {"run", kernel, "--seed", "chance"},
      {"run", kernel, "--board", "isa", "--cpus", "2"},
      {"run", kernel, "--board", "mca"},
      {"run", kernel, "--engine", "jit"},
      {"run", kernel, "--engine", "steam"},
      {"run", kernel, "--serial", "telepathy"},
      {"run", kernel, "--json", "--serial", "stdio"},
      {"run", kernel, "--check", "--json", "--debugcon", "stdio"},
      {"run", kernel, "--until", ""},
      {"run", kernel, "--max-time", "10"},
      {"run", kernel, "--max-instructions", "many"},
      {"run", kernel, "--disk", disk, "--disk", disk, "--disk", disk, "--disk", disk, "--disk", disk},
      {"run", kernel, "--disk-save", "somewhere"},
      {"run", kernel, "--disk", disk, "--disk-save", "here", "--disk-save", "there"},
      {"run", kernel, "--rtc", "yesterday"},
      {"run", kernel, "--keys", "<nokey>"},
      {"run", kernel, "--nmi", "now"},
      {"run", kernel, "--nmi", "1s,thunder"},
      {"run", kernel, "--power-button", "5"},
      {"run", kernel, "--cooling", "ambient=200"},
      {"run", kernel, "--cooling", "liquid"},
      {"run", kernel, "--check=no-such-rule"},
      {"run", kernel, "--suppress", file("suppressions", "# fine\nnothing fine\n")},
      {"why", "trace"},
      {"check"},
      {"check", "trace", "--check", "no-such-rule"},
      {"export", "trace"},
      {"report"},
      {"show"},
  };
  for (const auto& arguments : wrong) {
    const Result result = run(arguments);
    EXPECT_EQ(result.status, 64) << testing::PrintToString(arguments);
    expect_one_line(result);
  }
  EXPECT_EQ(run({}).status, 64);
}

TEST_F(Command, files_that_can_not_be_read_are_status_66) {
  const std::string kernel = file("kernel", multiboot(halt_forever));
  const std::string directory = folder_.path;
  const std::string none = folder_.path / "none";
  const std::string disk = file("disk", std::string(512, ' '));
  const std::vector<std::vector<std::string>> unreadable = {
      {"run", none},
      {"run", directory},
      {"run", kernel, "--initrd", none},
      {"run", kernel, "--initrd", directory},
      {"run", kernel, "--disk", none},
      {"run", kernel, "--disk", directory},
      {"run", kernel, "--disk", disk, "--disk-save", none + "/deeper"},
      {"run", kernel, "--disk", disk, "--disk-save", directory},
      {"run", kernel, "--symbols", none},
      {"run", kernel, "--symbols", kernel},
      {"run", kernel, "--trace", none + "/deeper"},
      {"run", kernel, "--report=" + none + "/deeper"},
      {"run", kernel, "--suppress", none},
      {"run", kernel, "--sarif", none + "/deeper"},
      {"run", kernel, "--findings", none + "/deeper"},
      {"check", none},
      {"check", kernel},
      {"run", kernel, "--serial", "file:" + none + "/deeper"},
      {"report", none},
      {"report", directory},
      {"report", kernel},
      {"show", none},
      {"show", kernel},
  };
  for (const auto& arguments : unreadable) {
    const Result result = run(arguments);
    EXPECT_EQ(result.status, 66) << testing::PrintToString(arguments);
    expect_one_line(result);
  }
}

TEST_F(Command, images_that_are_no_guests_are_status_65) {
  std::mt19937 random(5);
  std::string noise(100'000, '\0');
  std::ranges::generate(noise, [&] { return static_cast<char>(random()); });

  Elf64_Ehdr elf{};
  std::memcpy(elf.e_ident, ELFMAG, SELFMAG);
  elf.e_ident[EI_CLASS] = ELFCLASS64;
  elf.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.e_ident[EI_VERSION] = EV_CURRENT;
  elf.e_type = ET_EXEC;
  elf.e_machine = EM_AARCH64;
  elf.e_version = EV_CURRENT;
  elf.e_ehsize = sizeof elf;

  const fs::path huge = file("huge", "");
  fs::resize_file(huge, std::uintmax_t{10} << 40);
  std::vector<std::string> bad = {
      file("empty", ""),
      file("noise", noise),
      file("text", "#!/bin/sh\necho hello\n"),
      file("truncated", multiboot(halt_forever).substr(0, 20)),
      file("other-machine", {reinterpret_cast<const char*>(&elf), sizeof elf}),
      huge,
  };
  for (const std::string& path : bad) {
    const Result result = run({"run", path});
    EXPECT_EQ(result.status, 65) << path;
    expect_one_line(result);
    EXPECT_THAT(result.err, HasSubstr(path));
  }
}

TEST_F(Command, an_initrd_larger_than_memory_is_status_65) {
  const fs::path initrd = file("initrd", "");
  fs::resize_file(initrd, std::uintmax_t{64} << 20);
  const Result result = run({"run", file("kernel", multiboot(halt_forever)), "--initrd", initrd, "--memory", "16M"});
  EXPECT_EQ(result.status, 65);
  expect_one_line(result);
}

}  // namespace
}  // namespace vitrine::tests
