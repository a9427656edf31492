// The unprivileged workloads as a program of the host: bench_native NAME.
#include <cstdio>
#include <cstring>

#include "bench/guests/workloads.hpp"

int main(int count, char** words) {
  for (const Workload& each : user_workloads) {
    if (count == 2 && std::strcmp(words[1], each.name) == 0) {
      std::printf("%s %llx\n", each.name, each.run(each.units));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: bench_native WORKLOAD\n");
  return 64;
}
