"""Examples that the Compose project publishes: as published, and with recipes of images in x-conductor.

The files are from https://github.com/docker/awesome-compose at 18f59bdb (CC0-1.0), those named spec from
https://github.com/compose-spec/compose-spec at 170098ba (Apache-2.0). Comments and blank lines are left out.
docs/guide.md lists all files of awesome-compose.
"""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.document import parse_compose
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.file import load_document
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import parse_stack

EXAMPLES = {
    "flask-redis/compose.yaml": """
services:
  redis:
    image: redislabs/redismod
    ports:
      - '6379:6379'
  web:
    build:
      context: .
      target: builder
    stop_signal: SIGINT
    ports:
      - '8000:8000'
    volumes:
      - .:/code
    depends_on:
      - redis
""",
    "nginx-wsgi-flask/compose.yaml": """
services:
  nginx-proxy:
    build: nginx
    restart: always
    volumes:
      - ./nginx/default.conf:/tmp/default.conf
    environment:
      - FLASK_SERVER_ADDR=flask-app:8000
    ports:
      - "80:80"
    depends_on:
      - flask-app
    healthcheck:
      test: ["CMD-SHELL", "curl --silent --fail localhost:80/health-check || exit 1"]
      interval: 10s
      timeout: 10s
      retries: 3
    command: /app/start.sh
  flask-app:
    build: flask
    restart: always
    ports:
      - '8000:8000'
    healthcheck:
      test: ["CMD-SHELL", "curl --silent --fail localhost:8000/flask-health-check || exit 1"]
      interval: 10s
      timeout: 10s
      retries: 3
    command: gunicorn -w 3 -t 60 -b 0.0.0.0:8000 app:app
""",
    "nginx-golang/compose.yaml": """
services:
  proxy:
    image: nginx
    volumes:
      - type: bind
        source: ./proxy/nginx.conf
        target: /etc/nginx/conf.d/default.conf
        read_only: true
    ports:
      - 80:80
    depends_on:
      - backend
  backend:
    build:
      context: backend
      target: builder
""",
    "postgresql-pgadmin/compose.yaml": """
services:
  postgres:
    container_name: postgres
    image: postgres:latest
    environment:
      - POSTGRES_USER=${POSTGRES_USER}
      - POSTGRES_PASSWORD=${POSTGRES_PW}
      - POSTGRES_DB=${POSTGRES_DB} #optional (specify default database instead of $POSTGRES_DB)
    ports:
      - "5432:5432"
    restart: always
  pgadmin:
    container_name: pgadmin
    image: dpage/pgadmin4:latest
    environment:
      - PGADMIN_DEFAULT_EMAIL=${PGADMIN_MAIL}
      - PGADMIN_DEFAULT_PASSWORD=${PGADMIN_PW}
    ports:
      - "5050:80"
    restart: always
""",
    "minecraft/compose.yaml": """
services:
 minecraft:
   image: itzg/minecraft-server
   ports:
     - "25565:25565"
   environment:
     EULA: "TRUE"
   deploy:
     resources:
       limits:
         memory: 1.5G
   volumes:
     - "~/minecraft_data:/data"
""",
    "react-java-mysql/compose.yaml": """
services:
  backend:
    build: backend
    restart: always
    secrets:
      - db-password
    environment:
      MYSQL_HOST: db
    networks:
      - react-spring
      - spring-mysql
    depends_on:
      db:
        condition: service_healthy
  db:
    image: mariadb:10.6.4-focal
    environment:
      - MYSQL_DATABASE=example
      - MYSQL_ROOT_PASSWORD_FILE=/run/secrets/db-password
    restart: always
    healthcheck:
      test: ["CMD", "mysqladmin", "ping", "-h", "127.0.0.1", "--silent"]
      interval: 3s
      retries: 5
      start_period: 30s
    secrets:
      - db-password
    volumes:
      - db-data:/var/lib/mysql
    networks:
      - spring-mysql
  frontend:
    build:
      context: frontend
      target: development
    ports:
      - 3000:3000
    volumes:
      - ./frontend/src:/code/src
      - /project/node_modules
    networks:
      - react-spring
    depends_on:
      - backend
    expose:
      - 3306
      - 33060
volumes:
  db-data: {}
secrets:
  db-password:
    file: db/password.txt
networks:
  react-spring: {}
  spring-mysql: {}
""",
    "traefik-golang/compose.yaml": """
services:
  frontend:
    image: traefik:2.6
    command: --providers.docker --entrypoints.web.address=:80 --providers.docker.exposedbydefault=false
    ports:
      - "80:80"
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
    depends_on:
      - backend
  backend:
    build: backend
    labels:
      - "traefik.enable=true"
      - "traefik.http.routers.go.rule=Path(`/`)"
      - "traefik.http.services.go.loadbalancer.server.port=80"
""",
    "wireguard/compose.yaml": """
version: '3.7'
services:
  wireguard:
    image: linuxserver/wireguard
    container_name: wireguard
    cap_add:
      - NET_ADMIN
      - SYS_MODULE
    environment:
      - PUID=1000
    volumes:
      - /lib/modules:/lib/modules
    ports:
      - 51820:51820/udp
    sysctls:
      - net.ipv4.conf.all.src_valid_mark=1
    restart: unless-stopped
""",
    "spec 02-model.md": """
services:
  frontend:
    image: example/webapp
    ports:
      - "443:8043"
    networks:
      - front-tier
      - back-tier
    configs:
      - httpd-config
    secrets:
      - server-certificate
  backend:
    image: example/database
    volumes:
      - db-data:/etc/data
    networks:
      - back-tier
volumes:
  db-data:
    driver: flocker
    driver_opts:
      size: "10GiB"
configs:
  httpd-config:
    external: true
secrets:
  server-certificate:
    external: true
networks:
  front-tier: {}
  back-tier: {}
""",
    "spec 05-services.md aliases": """
services:
  frontend:
    image: example/webapp
    networks:
      - front-tier
      - back-tier
  monitoring:
    image: example/monitoring
    networks:
      - admin
  backend:
    image: example/backend
    networks:
      back-tier:
        aliases:
          - database
      admin:
        aliases:
          - mysql
networks:
  front-tier: {}
  back-tier: {}
  admin: {}
""",
}
IMAGE = "is not the name of an image of the host"
VOLUME = "is a named volume, and only bind mounts and tmpfs are supported"
VARIABLES = {"POSTGRES_USER": "u", "POSTGRES_PW": "p", "POSTGRES_DB": "d", "PGADMIN_MAIL": "m", "PGADMIN_PW": "w"}


def document(name):
    return load_document(EXAMPLES[name].lstrip("\n"), name)


def with_recipes(value):
    """Return the document with a recipe for each image, in place of `image` and `build`."""
    for service in value["services"].values():
        service["x-conductor"] = {"name": "debian"}
    return value


def problems(value, place):
    """Return place, key and problem of each error."""
    with pytest.raises(InvalidInput) as caught:
        parse_compose(value, "p", directory="/srv/p", place=place)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("flask-redis/compose.yaml", [f"3: services.redis.image: 'redislabs/redismod' {IMAGE}",
                                      "7: services.web.build: not supported"]),
        ("nginx-wsgi-flask/compose.yaml", ["3: services.nginx-proxy.build: not supported",
                                           "20: services.flask-app.build: not supported"]),
        ("nginx-golang/compose.yaml", ["14: services.backend.build: not supported"]),
        ("spec 02-model.md", [
            "19: volumes: not supported", "24: configs: not supported", "27: secrets: not supported",
            f"3: services.frontend.image: 'example/webapp' {IMAGE}", "9: services.frontend.configs: not supported",
            "11: services.frontend.secrets: not supported", f"14: services.backend.image: 'example/database' {IMAGE}",
            f"16: services.backend.volumes[0]: db-data {VOLUME}",
        ]),
    ],
)  # fmt: skip
def test_published_example_is_refused_by_line(name, told):
    found = problems(*document(name))
    assert len(found) == len(told)
    for line, expected in zip(found, told):
        assert line.startswith(f"{name}:{expected}. ") and line.endswith("."), line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("minecraft/compose.yaml", ["13: services.minecraft.volumes[0]: ~/minecraft_data depends on a user"]),
        ("react-java-mysql/compose.yaml", [
            "48: volumes: not supported", "50: secrets: not supported", "5: services.backend.secrets: not supported",
            "26: services.db.secrets: not supported", f"29: services.db.volumes[0]: db-data {VOLUME}",
            "40: services.frontend.volumes[1]: /project/node_modules is an anonymous volume, and only bind mounts and "
            "tmpfs are supported",
        ]),
        ("traefik-golang/compose.yaml", [
            "4: services.frontend.command: --providers.docker is not a program, and an image has no entrypoint of its "
            "own",
        ]),
        ("spec 02-model.md", [
            "19: volumes: not supported", "24: configs: not supported", "27: secrets: not supported",
            "9: services.frontend.configs: not supported", "11: services.frontend.secrets: not supported",
            f"16: services.backend.volumes[0]: db-data {VOLUME}",
        ]),
        ("spec 05-services.md aliases", [
            "15: services.backend.networks.back-tier.aliases: not supported",
            "18: services.backend.networks.admin.aliases: not supported",
        ]),
    ],
)  # fmt: skip
def test_example_with_recipes_is_refused_by_line(name, told):
    value, place = document(name)
    found = problems(with_recipes(value), place)
    assert len(found) == len(told), found
    for line, expected in zip(found, told):
        assert line.startswith(f"{name}:{expected}. ") and line.endswith("."), line


def members(name, **options):
    value, _ = document(name)
    composed = parse_compose(with_recipes(value), "p", directory="/srv/p", **options)
    return parse_stack({"name": "p", **composed.options}).members, composed.warnings


def test_flask_redis_works_with_recipes():
    found, warnings = members("flask-redis/compose.yaml")
    web, redis = found["web"], found["redis"]
    assert not warnings and web.depends_on == (("redis", "started"),) and web.options["stop_signal"] == "SIGINT"
    assert [(mount["source"], mount["target"]) for mount in web.options["mounts"]] == [("/srv/p", "/code")]
    assert [peer.name for peer in redis.peers] == ["web"] and redis.network["internet"]


def test_nginx_wsgi_flask_works_with_recipes():
    found, _ = members("nginx-wsgi-flask/compose.yaml")
    proxy, app = found["nginx-proxy"], found["flask-app"]
    assert proxy.depends_on == (("flask-app", "started"),) and proxy.options["env"] == {
        "FLASK_SERVER_ADDR": "flask-app:8000"
    }
    assert app.options["command"] == "gunicorn -w 3 -t 60 -b 0.0.0.0:8000 app:app".split()
    assert (app.options["wait_timeout"], app.options["restart_policy"]) == (60.0, "always")


def test_nginx_golang_works_with_recipes():
    found, _ = members("nginx-golang/compose.yaml")
    (mount,) = found["proxy"].options["mounts"]
    assert mount["source"] == "/srv/p/proxy/nginx.conf" and mount["read_only"]
    assert found["proxy"].network["expose"] == [
        {"container_port": "80", "host_port": "80", "protocol": "tcp", "host_ip": None}
    ]


def test_postgresql_pgadmin_works_with_recipes_and_variables():
    found, warnings = members("postgresql-pgadmin/compose.yaml", variables=VARIABLES)
    env = {"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d"}
    assert found["postgres"].options["env"] == env and not warnings
    assert len(members("postgresql-pgadmin/compose.yaml")[1]) == len(VARIABLES)


def test_wireguard_works_with_a_recipe():
    found, _ = members("wireguard/compose.yaml")
    assert found["wireguard"].options["sysctls"] == {"net.ipv4.conf.all.src_valid_mark": "1"}
