from tests.http.conftest import bell, seed
