// The command that lists images: `image ls` and `images`.
#ifndef VARVE_CLIENT_CLI_IMAGE_LISTING_H_
#define VARVE_CLIENT_CLI_IMAGE_LISTING_H_

#include "client/cli/session.h"

namespace CLI {
class App;
}

namespace varve {

// Gives it its options, and what it does.
void SetUpImageListing(CLI::App& command, Session& session);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_IMAGE_LISTING_H_
