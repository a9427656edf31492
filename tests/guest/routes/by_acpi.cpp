// Every way of a PCI interrupt, as ACPI: MADT and _PRT tells it.
#include "tests/guest/routes/routes.hpp"

void guest_main() { routes::run(route_by_acpi); }
