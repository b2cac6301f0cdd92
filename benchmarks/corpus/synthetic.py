def images(*_): raise NotImplementedError
