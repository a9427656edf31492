#include "host/pacer.hpp"

#include <chrono>

namespace vitrine {

u64 wall_nanoseconds() {
  using namespace std::chrono;
  return static_cast<u64>(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

u64 wall_unix_seconds() {
  using namespace std::chrono;
  return static_cast<u64>(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
}

}  // namespace vitrine
