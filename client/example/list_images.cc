// Lists the images of a store: list_images [ADDRESS], unix:///PATH or HOST:PORT.
#include <iostream>

#include "client/client.h"
#include "client/daemon_address.h"

int main(int argc, char** argv) {
  const auto client = varve::Client::Connect(argc > 1 ? argv[1] : varve::DefaultDaemonAddress());
  std::string token;
  do {
    const auto page = client.ok() ? (*client)->ListImages({}, token, 100) : client.status();
    if (!page.ok()) {
      std::cerr << page.status() << "\n";
      return 1;
    }
    for (const varve::ImageInfo& image : page->images) {
      std::cout << image.repository << ":" << image.tag << " " << image.manifest.digest.ToString()
                << "\n";
    }
    token = page->next_page_token;
  } while (!token.empty());
}
