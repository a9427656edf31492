#include "machine/cpu/floating.hpp"
namespace vitrine {
Selection select_x87(const Decoded& decoded, Operation& operation) { return select_fpu_state(decoded, operation); }
}  // namespace vitrine
