#include "observe/check/rules/delivery_chain.hpp"

#include <utility>

namespace vitrine {

namespace {
constexpr std::size_t most_steps = 8;
constexpr u8 nmi_vector = 2, stack_fault_vector = 12;
}  // namespace

std::optional<FailedDelivery> DeliveryChains::consume(const Record& record) {
  using Origin = FailedDelivery::Origin;
  switch (record.kind) {
    case RecordKind::Acknowledged:
      acknowledged_ = record.id;
      spurious_ = false;
      return std::nullopt;
    case RecordKind::Spurious:
      spurious_ = true;
      return std::nullopt;
    case RecordKind::Exception:
      exception_ = record.id;
      if (open_ && open_->steps.size() == 1 && record.vector == stack_fault_vector) open_->stack_fault = 1;
      return std::nullopt;
    case RecordKind::DeliveryFailed: {
      if (!open_) {
        Origin origin = Origin::Software;
        if (record.id == 0 && spurious_) {
          origin = Origin::External;
        } else if (record.id != 0 && record.id == exception_) {
          origin = Origin::Exception;
        } else if (record.id != 0 && record.id == acknowledged_) {
          origin = Origin::External;
        } else if (record.vector == nmi_vector) {
          origin = Origin::Nmi;
        }
        open_ = FailedDelivery{.id = record.id,
                               .vector = record.vector,
                               .origin = origin,
                               .privilege = record.privilege,
                               .address = record.address,
                               .time = record.time,
                               .instructions = record.instructions};
      }
      if (open_->steps.size() < most_steps) {
        open_->steps.push_back(
            {.vector = record.vector, .check = static_cast<FailedCheck>(record.detail), .error = record.extra});
      }
      return std::nullopt;
    }
    case RecordKind::Delivered:
      if (!open_) return std::nullopt;
      open_->entered = record.vector;
      open_->entered_address = record.address;
      return std::exchange(open_, std::nullopt);
    case RecordKind::TripleFault:
      if (!open_) return std::nullopt;
      open_->shut_down = true;
      return std::exchange(open_, std::nullopt);
    default:
      return std::nullopt;
  }
}

}  // namespace vitrine
