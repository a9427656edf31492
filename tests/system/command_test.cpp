// The command's contract: statuses, one clear line per error, and outputs that may fail.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

using namespace vitrine::tests;

class Command : public testing::Test {
 protected:
  static Result run(std::vector<std::string> arguments, const How& how = {}) {
    arguments.insert(arguments.begin(), VITRINE_COMMAND);
    return vitrine::tests::run(arguments, how);
  }

  [[nodiscard]] fs::path file(const std::string& name, const std::string& contents) const {
    return folder_.file(name, contents);
  }

  [[nodiscard]] std::ptrdiff_t files_in_folder() const {
    return std::distance(fs::directory_iterator(folder_.path), fs::directory_iterator());
  }

  Folder folder_;
};

void append(std::string& code, std::initializer_list<int> bytes) {
  for (const int byte : bytes) code += static_cast<char>(byte);
}

/// A Multiboot kernel (address fields, flag 16) at 1 MiB: header, then `code`, 32-bit.
std::string multiboot(const std::string& code) {
  constexpr std::uint32_t base = 0x100000;
  const std::uint32_t flags = 1u << 16;
  const std::uint32_t magic = 0x1BADB002;
  const std::uint32_t words[] = {magic, flags, 0u - magic - flags, base, base, 0, 0, base + 32};
  std::string image(reinterpret_cast<const char*>(words), sizeof words);
  return image + code;
}

/// mov dx, port; then each character to it. At most 16 characters.
std::string print(std::string_view text, int port = 0x3F8) {
  std::string code;
  // The 16550 takes 16 characters at once only with its FIFO on: out 0x3FA, 1.
  append(code, {0x66, 0xBA, 0xFA, 0x03, 0xB0, 0x01, 0xEE});
  append(code, {0x66, 0xBA, port & 0xFF, port >> 8});
  for (const char character : text) append(code, {0xB0, character, 0xEE});
  return code;
}

const std::string halt_forever("\xFA\xF4\xEB\xFD", 4);            // cli; hlt; jmp to hlt
const std::string loop_forever("\xEB\xFE", 2);                    // jmp $
const std::string wait_20_ms("\xB9\x00\x2D\x31\x01\xE2\xFE", 7);  // mov ecx, 20000000; loop $: the FIFO runs empty
const std::string write_f4("\xB0\x10\xE6\xF4\xEB\xFE");           // mov al, 0x10; out 0xF4, al
// lidt [esp] of zeroes, then int3: no gate can be read.
const std::string triple_fault("\xBC\x00\x00\x20\x00\x6A\x00\x6A\x00\x0F\x01\x1C\x24\xCC", 14);
const std::string reset("\xB0\xFE\xE6\x64\xEB\xFE", 6);  // the 8042's pulse on the reset line

/// Writes "ok" all over sector 1 of the first disk, by the CPU; then the end with write_f4.
std::string write_sector_1() {
  std::string code;
  const auto out = [&code](int port, int value) {
    append(code, {0x66, 0xBA, port & 0xFF, port >> 8, 0xB0, value, 0xEE});
  };
  const auto wait_while_busy = [&code] {
    append(code, {0x66, 0xBA, 0xF6, 0x03, 0xEC, 0xA8, 0x80, 0x75, 0xFB});  // in al, dx; test al, 0x80; jnz to in
  };
  out(0x1F6, 0xE0);
  out(0x1F2, 1);
  out(0x1F3, 1);
  out(0x1F4, 0);
  out(0x1F5, 0);
  out(0x1F7, 0x30);
  wait_while_busy();
  append(code, {0x66, 0xBA, 0xF0, 0x01, 0x66, 0xB8, 'o', 'k', 0xB9, 0x00, 0x01, 0x00, 0x00, 0x66, 0xEF, 0xE2, 0xFC});
  wait_while_busy();
  return code + write_f4;
}

/// One line that names the program, nothing else.
void expect_one_line(const Result& result) {
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("vitrine: ")) << result.err;
}

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

TEST_F(Command, disks_that_are_none_are_status_65) {
  const fs::path huge = file("huge", "");
  fs::resize_file(huge, std::uintmax_t{10} << 40);
  for (const fs::path& disk : {huge, file("empty", ""), file("odd", std::string(700, ' '))}) {
    const Result result = run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk});
    EXPECT_EQ(result.status, 65) << disk;
    expect_one_line(result);
    EXPECT_THAT(result.err, HasSubstr(disk.string()));
  }
}

TEST_F(Command, what_a_guest_writes_goes_where_disk_save_says_and_nowhere_else) {
  const std::string before(1024, ' ');
  std::string after = std::string(512, ' ');
  for (int i = 0; i < 256; ++i) after += "ok";
  const fs::path disk = file("disk", before);
  const std::string kernel = file("kernel", multiboot(write_sector_1()));
  const fs::path saved = folder_.path / "saved";
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), before);
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--disk-save", saved, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), before);
  EXPECT_EQ(contents_of(saved), after);
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--disk-save", disk, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), after);
  EXPECT_EQ(files_in_folder(), 3) << "the kernel and two disks";
}

TEST_F(Command, saving_a_disk_touches_no_other_file) {
  const fs::path disk = file("disk", std::string(512, ' '));
  const fs::path other = file("disk.new", "of somebody else");
  EXPECT_EQ(run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk, "--disk-save", disk}).status, 83);
  EXPECT_EQ(contents_of(other), "of somebody else");
}

TEST_F(Command, two_disks_are_not_saved_in_one_file) {
  const fs::path disk = file("disk", std::string(512, ' '));
  const Result result = run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk, "--disk", disk,
                             "--disk-save", disk, "--disk-save", disk.parent_path() / "." / "disk"});
  EXPECT_EQ(result.status, 64);
  expect_one_line(result);
}

TEST_F(Command, a_run_that_can_not_begin_leaves_no_half_of_a_saved_disk) {
  const fs::path disk = file("disk", std::string(512, ' '));
  EXPECT_EQ(run({"run", file("text", "no guest"), "--disk", disk, "--disk-save", disk}).status, 65);
  EXPECT_EQ(contents_of(disk), std::string(512, ' '));
  EXPECT_EQ(files_in_folder(), 2) << "the text and the disk";
}

TEST_F(Command, every_end_of_a_run_has_its_status) {
  struct Case {
    std::string code;
    std::vector<std::string> options;
    int status;
    std::string sentence;
  };
  const std::vector<Case> cases = {
      {print("hello READY\n") + loop_forever, {"--until", "READY", "--max-time", "1s"}, 0, "printed \"READY\""},
      {print("READY", 0xE9) + loop_forever, {"--until", "READY", "--max-time", "1s"}, 0, "printed \"READY\""},
      {write_f4, {}, 33, "wrote 0x10 to port 0xF4"},
      {loop_forever, {"--max-time", "1ms"}, 80, "time of 1.000 ms"},
      {loop_forever, {"--max-instructions", "5000"}, 80, "5,000 instructions"},
      {triple_fault, {}, 81, "riple fault"},
      {halt_forever, {}, 83, "halted for good"},
      {reset, {}, 0, "asked for a reset"},
  };
  for (const Case& each : cases) {
    std::vector<std::string> arguments = {"run", file("kernel", multiboot(each.code))};
    arguments.insert(arguments.end(), each.options.begin(), each.options.end());
    const Result result = run(arguments);
    EXPECT_EQ(result.status, each.status) << each.sentence << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(each.sentence));
  }
}

TEST_F(Command, a_triple_fault_is_explained) {
  const Result result = run({"run", file("kernel", multiboot(triple_fault))});
  EXPECT_THAT(result.err, AllOf(HasSubstr("#BP (breakpoint)"), HasSubstr("past the limit of the IDT"),
                                HasSubstr("int3"), HasSubstr("32-bit protected mode")));
}

TEST_F(Command, serial_output_goes_where_it_is_told) {
  const std::string kernel = file("kernel", multiboot(print("hello\n") + wait_20_ms + write_f4));
  EXPECT_EQ(run({"run", kernel}).out, "hello\n");
  EXPECT_EQ(run({"run", kernel, "--serial", "none"}).out, "");
  const std::string path = folder_.path / "serial";
  EXPECT_EQ(run({"run", kernel, "--serial", "file:" + path}).out, "");
  EXPECT_EQ(contents_of(path), "hello\n");
}

TEST_F(Command, what_we_say_starts_on_a_line_of_its_own_where_both_outputs_meet) {
  const std::string kernel = file("kernel", multiboot(print("READY") + loop_forever));
  const std::string run_it = std::string(VITRINE_COMMAND) + " run " + kernel + " --until READY";
  const Result together = vitrine::tests::run({"bash", "-c", run_it + " 2>&1"});
  EXPECT_THAT(together.out, testing::StartsWith("READY\nvitrine: The guest printed"));
  const Result apart = vitrine::tests::run({"bash", "-c", run_it});
  EXPECT_EQ(apart.out, "READY");
}

TEST_F(Command, live_without_a_terminal_is_one_line_and_changes_nothing) {
  const std::string kernel = file("kernel", multiboot(write_f4));
  const Result result = run({"run", kernel, "--live"});
  EXPECT_EQ(result.status, 33);
  EXPECT_THAT(result.err, testing::StartsWith("vitrine: --live does nothing here"));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 2) << result.err;
}

TEST_F(Command, outputs_that_fail_end_the_run_with_status_70) {
  const std::string kernel = file("kernel", multiboot(print("hello\n") + loop_forever));
  for (const Stdout kind : {Stdout::Closed, Stdout::Full, Stdout::ClosedPipe}) {
    const Result result = run({"run", kernel, "--max-time", "10s"}, {.standard_output = kind});
    EXPECT_EQ(result.status, 70);
    expect_one_line(result);
    EXPECT_THAT(result.err, HasSubstr("standard output"));
  }
  EXPECT_EQ(run({"run", kernel, "--max-time", "1ms", "--trace", "/dev/full"}).status, 70);
  EXPECT_EQ(run({"run", kernel, "--max-time", "1ms", "--report=/dev/full"}).status, 70);
}

TEST_F(Command, a_silent_guest_does_not_need_a_standard_output) {
  const std::string kernel = file("kernel", multiboot(write_f4));
  EXPECT_EQ(run({"run", kernel}, {.standard_output = Stdout::Closed}).status, 33);
}

TEST_F(Command, without_a_standard_error_statuses_and_traces_are_the_same) {
  const std::string kernel = file("kernel", multiboot(triple_fault));
  const std::string trace = folder_.path / "trace";
  for (const Stderr kind : {Stderr::Closed, Stderr::Full}) {
    EXPECT_EQ(run({"run", kernel, "--trace", trace}, {.standard_error = kind}).status, 81);
    EXPECT_EQ(run({"report", trace}).status, 0);
    EXPECT_EQ(run({"run", folder_.path / "absent"}, {.standard_error = kind}).status, 66);
    EXPECT_EQ(run({"nonsense"}, {.standard_error = kind}).status, 64);
  }
}

TEST_F(Command, two_runs_write_the_same_trace_and_a_report_can_be_had_from_it) {
  const std::string kernel = file("kernel", multiboot(print("x") + loop_forever));
  const std::string first = folder_.path / "first";
  const std::string second = folder_.path / "second";
  const std::string json = folder_.path / "report.json";
  EXPECT_EQ(run({"run", kernel, "--max-time", "100ms", "--trace", first, "--report=" + json}).status, 80);
  EXPECT_EQ(run({"run", kernel, "--max-time", "100ms", "--trace", second}).status, 80);
  EXPECT_EQ(contents_of(first), contents_of(second));
  const Result report = run({"report", first, "--json"});
  EXPECT_EQ(report.status, 0);
  EXPECT_EQ(report.out, contents_of(json));
  EXPECT_EQ(nlohmann::json::parse(report.out)["end"]["reason"], "time");
  EXPECT_EQ(run({"show", first}).status, 0);
}

TEST_F(Command, a_cut_off_trace_is_reported_as_far_as_it_goes_with_status_66) {
  const std::string kernel = file("kernel", multiboot(loop_forever));
  const fs::path trace = folder_.path / "trace";
  run({"run", kernel, "--max-time", "100ms", "--trace", trace});
  fs::resize_file(trace, fs::file_size(trace) - 3);
  const Result result = run({"report", trace});
  EXPECT_EQ(result.status, 66);
  EXPECT_THAT(result.out, HasSubstr("Interrupt report"));
  EXPECT_THAT(result.err, HasSubstr("in the middle of a block"));
}

TEST_F(Command, ctrl_c_ends_the_run_and_the_report_still_comes) {
  const std::string kernel = file("kernel", multiboot(print("x") + loop_forever));
  const Result result = run({"run", kernel, "--report"}, {.signal_after_ms = 20});
  EXPECT_EQ(result.status, 130);
  EXPECT_THAT(result.err, AllOf(HasSubstr("Ctrl-C"), HasSubstr("Interrupt report")));
}

}  // namespace
