// Every way of a PCI interrupt, as the $PIR table tells it.
#include "tests/guest/routes/routes.hpp"

void guest_main() { routes::run(route_by_pir); }
