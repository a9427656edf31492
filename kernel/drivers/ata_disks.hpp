// The ATA disks of the machine: /dev/sda to /dev/sdd, as block devices for file systems and programs.
#pragma once

#include "kernel/drivers/ata_channel.hpp"

namespace pulse {

struct AtaOptions {
  AtaChannel::Service service = AtaChannel::Service::Interrupts;
  bool use_dma = true;  ///< if controller and disk have it; else the CPU moves the data
};

/// Finds them at the ports of a PC and registers them (kernel/fs/block_file.hpp). For the idle thread, at boot.
void start_ata_disks(const AtaOptions& options);

}  // namespace pulse
