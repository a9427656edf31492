#include "kernel/syscalls/call_text.hpp"

#include "kernel/core/error_name.hpp"

namespace pulse {

namespace {

/// How many arguments the calls have, from number 0 on (Linux, include/linux/syscalls.h); 0 also for those that are
/// gone.
constexpr std::string_view argument_counts =
    "3331222336"
    "3214403443"
    "3215053333"
    "3312022130"
    "4333663323"
    "2334555003"
    "1421334124"
    "5332112232"
    "1122122123"
    "2233312221"
    "1403011002"
    "0002222333"
    "3111122243"
    "2223112223"
    "2322311122"
    "2100321521"
    "2101252214"
    "2213000000"
    "0000000355"
    "5444333222"
    "2163312153"
    "3131005310"
    "4434211222"
    "4144320635"
    "4155234554"
    "5320324434"
    "5343453433"
    "6512364446"
    "4632144244"
    "2132155455"
    "2545321423"
    "6653345332"
    "5351336664"
    "21564";

}  // namespace

void put_call(TextSink& out, u32 number, std::string_view name, std::span<const u64, 6> arguments,
              const Result<u64>& result) {
  const std::size_t count =
      number < argument_counts.size() ? static_cast<std::size_t>(argument_counts[number] - '0') : arguments.size();
  format(out, "{}(", name);
  for (std::size_t i = 0; i < count; ++i) format(out, "{}{:#x}", i == 0 ? "" : ", ", arguments[i]);
  out.put(") = ");
  if (!result) return format(out, "-{}", name_of(result.error()));
  constexpr u64 addresses = 0x1'0000;  // results from here on are read more easily as such
  format(out, *result < addresses ? "{}" : "{:#x}", *result);
}

}  // namespace pulse
