// test386.asm: a ROM that runs from the reset vector, writes the number of each test to port 190h (its POST_PORT)
// before it starts, and halts where one fails; FFh says that all are done. With OUT_PORT set to E9h it also prints what
// arithmetic gave, to be compared with the reference that comes with it.
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "tests/conformance/cpu_bench.hpp"
#include "tests/conformance/suites.hpp"
#include "tests/process.hpp"

namespace vitrine::conformance {

namespace {

namespace fs = std::filesystem;

constexpr u16 post_port = 0x190, text_port = 0xE9;
constexpr u8 post_done = 0xFF;
constexpr u64 most_instructions = 20'000'000'000;
constexpr unsigned patience_seconds = 600;

class Listener final : public Device {
 public:
  enum : u32 { post_region, text_region };
  [[nodiscard]] std::string_view name() const override { return "listener"; }
  void reset() override {}
  void exchange(Archive&) override {}
  u64 read(Region, u64, AccessSize) override { return 0xFF; }
  void write(Region region, u64, AccessSize, u64 value) override {
    (region.value == post_region ? post : text) += static_cast<char>(value);
  }
  std::string post, text;
};

/// The ROM at the top of the first MiB and of 4 GiB, as a PC has it.
struct Computer {
  explicit Computer(std::string image) : rom(std::move(image)), bench(0x100000 - rom.size()) {
    auto* bytes = reinterpret_cast<u8*>(rom.data());
    bool good = true;
    for (const u64 end : {u64{1} << 20, u64{1} << 32}) {
      good &= bench.memory()
                  .map_ram(PhysicalAddress(end - rom.size()), rom.size(), bytes, MemoryBus::Kind::Rom)
                  .has_value();
    }
    good &= bench.ports().map(Port(post_port), 1, listener, Region(Listener::post_region)).has_value();
    good &= bench.ports().map(Port(text_port), 1, listener, Region(Listener::text_region)).has_value();
    VITRINE_ASSERT(good);
  }
  void run() {
    Cpu& cpu = bench.cpu();
    cpu.reset();
    while (cpu.state.instructions < most_instructions) {
      const CpuExit why = cpu.run(1'000'000);
      if (why == CpuExit::Halted || why == CpuExit::Shutdown) return;
    }
  }
  std::string rom;
  Listener listener;
  CpuBench bench;
};

std::string ending(const std::string& post) {
  if (post.empty()) return "fail, nothing was written to port 190h";
  const auto last = static_cast<u8>(post.back());
  if (last == post_done) return fmt::format("pass ({} tests)", post.size() - 1);
  return fmt::format("fail in test {:02X}h", last);
}

std::string post_on_qemu(const fs::path& image) {
  const auto done = [](const std::string& out) { return out.ends_with(static_cast<char>(post_done)); };
  const tests::Result result =
      tests::run({"qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-bios",
                  image.string(), "-chardev", "stdio,id=post", "-device", "isa-debugcon,iobase=0x190,chardev=post"},
                 {.seconds_at_most = patience_seconds, .enough = done});
  return result.out;
}

std::string without_carriage_returns(std::string text) {
  std::erase(text, '\r');
  return text;
}

}  // namespace

Verdict run_test386(const Request& request) {
  const std::string rom = tests::contents_of(request.path);
  if (rom.size() != 0x10000 && rom.size() != 0x20000) {
    fmt::print(stderr, "{} is no image of test386.asm: those have 64 or 128 KiB.\n", request.path.string());
    return Verdict::CannotRun;
  }
  Computer computer(rom);
  computer.run();
  const std::string& post = computer.listener.post;
  bool good = !post.empty() && static_cast<u8>(post.back()) == post_done;
  fmt::print("| test386 | Vitrine |{}\n|---|---|{}\n", request.qemu ? " QEMU TCG |" : "", request.qemu ? "---|" : "");
  fmt::print("| {} KiB | {} |{}\n", rom.size() >> 10, ending(post),
             request.qemu ? " " + ending(post_on_qemu(request.path)) + " |" : "");
  if (const std::string text = without_carriage_returns(computer.listener.text); !text.empty()) {
    const std::string reference =
        without_carriage_returns(tests::contents_of(request.path.parent_path() / "test386-EE-reference.txt"));
    const bool same = text == reference;
    fmt::print("| arithmetic against test386-EE-reference.txt | {} |{}\n", same ? "same" : "different",
               request.qemu ? " |" : "");
    good &= same;
  }
  return good ? Verdict::Passed : Verdict::Failed;
}

}  // namespace vitrine::conformance
