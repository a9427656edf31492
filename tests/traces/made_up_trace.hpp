// Traces of any length that look like those of a busy guest: a timer and a keyboard through two controllers, page
// faults in between, threads that they wake. The same length gives the same bytes.
#pragma once

#include "base/types.hpp"
#include "observe/byte_sink.hpp"

namespace vitrine {

/// What is in a made-up trace.
struct MadeUpCounts {
  u64 records = 0;
  u64 interrupts = 0;  ///< delivered, and returned from
  u64 page_faults = 0;
  u64 switches = 0;  ///< from thread to thread
};

/// At least `records` records: a round of the guest is not cut in the middle.
MadeUpCounts write_made_up_trace(ByteSink& sink, u64 records);

}  // namespace vitrine
