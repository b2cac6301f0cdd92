// varve(1), generated from the same texts as --help.
#ifndef VARVE_CLIENT_CLI_MAN_PAGE_H_
#define VARVE_CLIENT_CLI_MAN_PAGE_H_

#include <string>

namespace CLI {
class App;
}

namespace varve {

// In the man(7) language, ASCII only, the same at every call.
std::string ManPage(const CLI::App& app);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_MAN_PAGE_H_
