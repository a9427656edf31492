// vitrine show --board: how a board wires interrupts.
#pragma once

#include <string>

#include "machine/boards/board_wiring.hpp"

namespace vitrine {

[[nodiscard]] std::string board_text(BoardKind kind);
/// One JSON object, and a newline.
[[nodiscard]] std::string board_json(BoardKind kind);

}  // namespace vitrine
