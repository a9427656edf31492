// Every way of a PCI interrupt, as the MP configuration table tells it.
#include "tests/guest/routes/routes.hpp"

void guest_main() { routes::run(route_by_mp_tables); }
