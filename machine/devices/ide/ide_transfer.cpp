// How a channel moves data: by the host's reads and writes of the data register (ATA/ATAPI-6, 9.6 and 9.7), and by DMA
// (9.8).
#include <algorithm>
#include <cstring>

#include "machine/devices/ide/ide_channel.hpp"

namespace vitrine {

using Protocol = CommandForm::Protocol;

namespace {
constexpr u8 wants_data = ata::status::ready | ata::status::seek_complete | ata::status::data_request;
}

void IdeChannel::fetched() {
  if (form().protocol == Protocol::Identify) {
    const AtaDrive::Sector words = active().identify();
    std::ranges::copy(words, state_.buffer.begin());
    state_.length = sector_bytes;
  } else {
    const u32 block = block_sectors();
    if (block == 0) return not_found();
    state_.length = block * sector_bytes;
    active().read_sectors(state_.sector, std::span(state_.buffer).first(state_.length));
  }
  state_.position = 0;
  state_.phase = Phase::DataIn;
  active().set_status(wants_data);
  interrupt(Cause::Data);
}

void IdeChannel::take_data() {
  if (state_.phase != Phase::DataIn) return;
  state_.position += 2;
  if (state_.position >= state_.length) data_was_read();
}

void IdeChannel::data_was_read() {
  const u32 block = state_.length / sector_bytes;
  state_.sector += block;
  state_.left -= block;
  if (state_.left == 0) {
    stop();
    active().end(0);
    return;
  }
  state_.length = state_.position = 0;
  active().set_status(ata::status::busy);
  wait(u64{block_sectors()} * sector_time, Phase::Fetching);
}

void IdeChannel::expect_data() {
  const u32 block = block_sectors();
  if (block == 0) return not_found();
  state_.position = 0;
  state_.length = block * sector_bytes;
  state_.buffer.fill(0);
  state_.phase = Phase::DataOut;
  active().set_status(wants_data);
}

void IdeChannel::put_data(u16 value) {
  if (state_.phase != Phase::DataOut) return;
  state_.buffer[state_.position] = static_cast<u8>(value);
  state_.buffer[state_.position + 1] = static_cast<u8>(value >> 8);
  state_.position += 2;
  if (state_.position >= state_.length) data_was_written();
}

void IdeChannel::data_was_written() {
  active().set_status(ata::status::busy);
  wait(active().move_to(state_.sector) + u64{state_.length / sector_bytes} * sector_time, Phase::Storing);
}

void IdeChannel::stored() {
  const u32 block = state_.length / sector_bytes;
  if (block > block_sectors()) return not_found();
  active().write_sectors(state_.sector, std::span(state_.buffer).first(state_.length));
  state_.sector += block;
  state_.left -= block;
  if (state_.left == 0) return finish(0);
  expect_data();
  if (state_.phase == Phase::DataOut) interrupt(Cause::Data);  // only the first block comes without (9.7)
}

// --- DMA ------------------------------------------------------------------------------------------------------------

BusMaster::Direction IdeChannel::dma_direction() const {
  return form().protocol == Protocol::DmaIn ? BusMaster::Direction::ToMemory : BusMaster::Direction::FromMemory;
}

/// The drive waits for the engine: is it there now?
void IdeChannel::pump() {
  if (state_.phase != Phase::DmaWaits || memory_ == nullptr) return;
  if (state_.mastering && bus_master_.takes(dma_direction())) wait(sector_time, Phase::DmaMoves);
}

void IdeChannel::moved() {
  if (memory_ == nullptr || !state_.mastering || !bus_master_.takes(dma_direction())) {
    state_.phase = Phase::DmaWaits;
    return;
  }
  if (state_.sector >= active().sectors()) return not_found();
  const std::span<u8> sector = std::span(state_.buffer).first(sector_bytes);
  const bool reads = dma_direction() == BusMaster::Direction::ToMemory;
  if (reads && state_.position == 0) active().read_sectors(state_.sector, sector);
  state_.position += static_cast<u32>(bus_master_.move(*memory_, sector.subspan(state_.position), dma_direction()));
  if (state_.position < sector_bytes) {
    state_.phase = Phase::DmaWaits;
    return;
  }
  if (!reads) active().write_sectors(state_.sector, sector);
  state_.position = 0;
  ++state_.sector;
  --state_.left;
  if (state_.left == 0) return finish(0);
  state_.phase = Phase::DmaWaits;
  pump();
}

}  // namespace vitrine
