// On whose track of the timeline a record is drawn.
#pragma once

#include "machine/core/ledger.hpp"

namespace vitrine {

enum class TimelinePlace : u8 { Nowhere, Device, Controller, Cpu, Thread };

[[nodiscard]] TimelinePlace timeline_place(const Record& record);

}  // namespace vitrine
