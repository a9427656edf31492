// Any sequence of records through the sanitizer's rules, as a trace by a hostile hand would have them: no rule may rely
// on the order or the meaning of what it reads. The result is printed in all three formats.
#include <cstdint>
#include <cstring>

#include "observe/check/check_output.hpp"
#include "observe/check/selection.hpp"
#include "tests/fuzz/input_bytes.hpp"

using namespace vitrine;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  InputBytes input({data, size});
  TraceHeader header = {.sources = {"cpu0", "pic0", "pic1", "pit", "i8042"}, .guest = "guest"};
  header.lines = {{0, "pit"}, {1, "i8042"}};
  static const auto rules = select_rules("").value_or(std::vector<std::string_view>{});
  Sanitizer sanitizer(header, {.rules = rules});
  const auto take = [&] { return static_cast<u8>(input.take(1)); };
  Record record;
  std::size_t count = 0;
  constexpr std::size_t most_records = 4000;
  // Small numbers, so that ids, addresses and times meet again.
  for (; !input.empty() && count < most_records; ++count) {
    const u8 step = take();
    record.time += step < 0xF0 ? step : u64{step} << (step & 0xF) << 20;
    record.instructions += step;
    record.kind = static_cast<RecordKind>(take() % 34);
    record.id = take() % 8;
    record.address = 0x1000 + take() % 16;
    record.other = take() % 32;
    record.frame = 0x8000 + 8 * (take() % 16);
    record.since = record.time - (take() % 64) * 1000;
    record.extra = take();
    record.vector = take();
    record.pin = take() % 18;
    record.detail = take() % 12;
    record.source = take() % 7;
    sanitizer.consume({&record, 1});
  }
  const CheckResult result = sanitizer.finish({.time = record.time, .instructions = record.instructions});
  (void)check_text(result, nullptr);
  (void)check_json(result, nullptr);
  (void)check_sarif(result, nullptr, "0");
  return 0;
}
